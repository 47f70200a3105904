import type { LegCurve } from '../../model/leg-curve.js'
import { STEP_MS } from '../../model/pcm.js'
import type { StepModel } from '../../model/step-model.js'

/** How the sessions of an engine are planned and counted. */
export type Policy = 'fixed' | 'reserve' | 'profile' | 'elastic'

/** What one engine can carry. */
export interface EngineLimits {
  /** KV blocks that may be given out. */
  readonly kvBlocks: number
  /** Time of a step that its sessions may take together, the engine's own base taken off; ms. */
  readonly stepMs: number
  /** Sessions that generate at a time (`max_num_seqs`), those of a change-over counted twice. */
  readonly sessions: number
  /** Lanes at a time: a setting, the compute knee, penalties; a change-over counts once. */
  readonly lanes: number
}

/** Everything that a plan for one engine goes by. Pure data; the same in worker and planner. */
export interface EnginePlan {
  readonly policy: Policy
  readonly limits: EngineLimits
  readonly curve: LegCurve
  /** Null: steps cost nothing, as far as is known. */
  readonly stepModel: StepModel | null
  /** Frames of the shortest leg of a longer recording. */
  readonly floorFrames: number
  /** Frames of the longest leg; infinite where nothing is ever cut. */
  readonly ceilingFrames: number
  /** How long before its first frame a session is opened. */
  readonly openAheadMs: number
  /**
   * From the end of a leg's audio to its planned end: 17 steps, and by how much the engine answers
   * late. Plans count it for `RELEASE_GRACE_MS` more.
   */
  readonly tailMs: number
}

/** Plans count a leg until so long after its planned end; then it is overdue. */
export const RELEASE_GRACE_MS = 1_000

/** Time between two frames of a lane. Plans take the engine's own speed for real time. */
export function frameMsOf(pace: number): number {
  return pace === 0 ? STEP_MS : STEP_MS / pace
}

/** How long after its first frame a leg is counted. */
export function heldMs(plan: EnginePlan, frames: number, pace: number): number {
  return frames * frameMsOf(pace) + plan.tailMs + RELEASE_GRACE_MS
}

/** Blocks that a lane holds on average with legs of so many frames, change-overs included. */
export function meanBlocks(plan: EnginePlan, legFrames: number, pace: number): number {
  const { curve, openAheadMs, tailMs } = plan
  const frameMs = frameMsOf(pace)
  const aroundMs = openAheadMs * curve.openBlocks
  const afterMs = (tailMs + RELEASE_GRACE_MS) * curve.peakBlocks(legFrames)
  return (curve.sumUntil(legFrames) * frameMs + aroundMs + afterMs) / (legFrames * frameMs)
}

/** What a lane adds to every step on average with legs of so many frames. */
export function meanStepMs(plan: EnginePlan, legFrames: number, pace: number): number {
  if (plan.stepModel === null) return 0
  const { perSessionMs, perFrameMs } = plan.stepModel
  const legMs = legFrames * frameMsOf(pace)
  // An open session takes part in no step before it hears anything; an old one does to its end.
  const twice = (plan.tailMs + RELEASE_GRACE_MS) / legMs
  const oldMs = perSessionMs + perFrameMs * legFrames
  // At twice real time a session takes part in two steps where the others take part in one.
  const stepsAtOnce = Math.max(1, pace)
  return (perSessionMs + (perFrameMs * legFrames) / 2 + twice * oldMs) * stepsAtOnce
}

/** Lanes that share an engine. */
export interface LaneLoad {
  readonly lanes: number
  /** Of all of them on average: faster ones change over more often. */
  readonly pace: number
}

/** Lanes of these paces together; one that goes as fast as it can counts as real time. */
export function laneLoadOf(paces: readonly number[]): LaneLoad {
  const sum = paces.reduce((total, pace) => total + (pace === 0 ? 1 : pace), 0)
  return { lanes: paces.length, pace: paces.length === 0 ? 1 : sum / paces.length }
}

/** A crowd with more lanes that go as it does. */
export function withMore(laneLoad: LaneLoad, lanes: number): LaneLoad {
  return { ...laneLoad, lanes: laneLoad.lanes + lanes }
}

/**
 * The longest legs with which a crowd fits on average into a share of the engine, in frames; null
 * when not even legs of the floor's length do.
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

/** The shortest legs with which change-overs leave so many lanes enough of `max_num_seqs`. */
function legFramesForSessions(plan: EnginePlan, { lanes, pace }: LaneLoad): number {
  const { sessions } = plan.limits
  if (!Number.isFinite(sessions)) return 0
  const twiceMs = plan.openAheadMs + plan.tailMs + RELEASE_GRACE_MS
  if (lanes >= sessions) return sessions === 1 && lanes === 1 ? 0 : Number.POSITIVE_INFINITY
  return Math.ceil((twiceMs * lanes) / (sessions - lanes) / frameMsOf(pace))
}

/** Where nothing is ever cut, legs count as two hours long on average. */
const LEG_FRAMES_MAX = 90_000
