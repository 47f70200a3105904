import type { LegCurve } from '../../model/leg-curve.js'
import { STEP_MS } from '../../model/pcm.js'
import type { StepModel } from '../../model/step-model.js'

/** How the sessions of an engine are planned and counted. */
export type Policy = 'fixed' | 'reserve' | 'profile' | 'elastic'

/** The limits of one engine. */
export interface EngineLimits {
  /** KV blocks that all sessions together may hold. */
  readonly kvBlocks: number
  /** Time that all sessions together may add to a step, in ms, besides the engine's base time. */
  readonly stepMs: number
  /** Sessions at a time (`max_num_seqs`); a lane in a change of legs has two. */
  readonly sessions: number
  /** Lanes at a time, by a setting, compute knee and penalties; each counts once. */
  readonly lanes: number
}

/** All that planning needs to know of one engine. Pure data; the same in worker and forecast. */
export interface EnginePlan {
  readonly policy: Policy
  readonly limits: EngineLimits
  readonly curve: LegCurve
  /** Null where step times aren't known: then they don't limit anything. */
  readonly stepModel: StepModel | null
  /** Frames of the shortest leg of a longer recording. */
  readonly floorFrames: number
  /** Frames of the longest leg; infinite where a lane is never cut. */
  readonly ceilingFrames: number
  /** How long before its first frame a session is opened. */
  readonly openAheadMs: number
  /**
   * Time from the end of a leg's audio to its planned end: 17 steps, and the delay of the engine's
   * answers. Plans count the leg for `RELEASE_GRACE_MS` more.
   */
  readonly tailMs: number
}

/** Plans count a leg until 1 s after its planned end; a lease held longer is overdue. */
export const RELEASE_GRACE_MS = 1_000

/** Time between two frames of a lane, in ms. Plans count pace 0 (unpaced) as real time. */
export function frameMsOf(pace: number): number {
  return pace === 0 ? STEP_MS : STEP_MS / pace
}

/** How long after its first frame a leg is counted, in ms. */
export function heldMs(plan: EnginePlan, frames: number, pace: number): number {
  return frames * frameMsOf(pace) + plan.tailMs + RELEASE_GRACE_MS
}

/** Blocks that a lane holds on average with legs of that length, its changes of legs included. */
export function meanBlocks(plan: EnginePlan, legFrames: number, pace: number): number {
  const { curve, openAheadMs, tailMs } = plan
  const frameMs = frameMsOf(pace)
  const aroundMs = openAheadMs * curve.openBlocks
  const afterMs = (tailMs + RELEASE_GRACE_MS) * curve.peakBlocks(legFrames)
  return (curve.sumUntil(legFrames) * frameMs + aroundMs + afterMs) / (legFrames * frameMs)
}

/** Time in ms that a lane adds to every step on average, with legs of that length. */
export function meanStepMs(plan: EnginePlan, legFrames: number, pace: number): number {
  if (plan.stepModel === null) return 0
  const { perSessionMs, perFrameMs } = plan.stepModel
  const legMs = legFrames * frameMsOf(pace)
  // A session takes part in steps from its first audio to its end, its tail included.
  const twice = (plan.tailMs + RELEASE_GRACE_MS) / legMs
  const oldMs = perSessionMs + perFrameMs * legFrames
  // At twice real time a session costs two steps in the time in which others cost one.
  const stepsAtOnce = Math.max(1, pace)
  return (perSessionMs + (perFrameMs * legFrames) / 2 + twice * oldMs) * stepsAtOnce
}

/** Lanes that share an engine. */
export interface LaneLoad {
  readonly lanes: number
  /** Average pace of the lanes: faster ones change legs more often. */
  readonly pace: number
}

/** The load of lanes with these paces; pace 0 (unpaced) counts as real time. */
export function laneLoadOf(paces: readonly number[]): LaneLoad {
  const sum = paces.reduce((total, pace) => total + (pace === 0 ? 1 : pace), 0)
  return { lanes: paces.length, pace: paces.length === 0 ? 1 : sum / paces.length }
}

/** The lane load with more lanes of the same pace. */
export function withMore(laneLoad: LaneLoad, lanes: number): LaneLoad {
  return { ...laneLoad, lanes: laneLoad.lanes + lanes }
}

/**
 * The longest legs, in frames, with which a lane load fits on average into a share of the engine;
 * null when it doesn't fit even with legs of the shortest length.
 */
export function legFramesFor(plan: EnginePlan, laneLoad: LaneLoad, share: number): number | null {
  const { lanes, pace } = laneLoad
  const fits = (frames: number) =>
    lanes * meanBlocks(plan, frames, pace) <= plan.limits.kvBlocks * share &&
    lanes * meanStepMs(plan, frames, pace) <= plan.limits.stepMs * share
  const longest = Math.min(plan.ceilingFrames, LEG_FRAMES_MAX)
  let low = Math.max(plan.floorFrames, legFramesForSessions(plan, laneLoad))
  if (low > longest || !fits(low)) return null
  if (fits(longest)) return longest
  let high = longest
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (fits(middle)) low = middle
    else high = middle
  }
  return low
}

/**
 * The shortest legs, in frames, with which the second sessions of changes still fit into
 * `max_num_seqs`: the shorter legs are, the more lanes have two sessions at a time.
 */
function legFramesForSessions(plan: EnginePlan, { lanes, pace }: LaneLoad): number {
  const { sessions } = plan.limits
  if (!Number.isFinite(sessions)) return 0
  const twiceMs = plan.openAheadMs + plan.tailMs + RELEASE_GRACE_MS
  if (lanes >= sessions) return sessions === 1 && lanes === 1 ? 0 : Number.POSITIVE_INFINITY
  return Math.ceil((twiceMs * lanes) / (sessions - lanes) / frameMsOf(pace))
}

/** Longest leg for averages: two hours, where lanes are never cut. */
const LEG_FRAMES_MAX = 90_000
