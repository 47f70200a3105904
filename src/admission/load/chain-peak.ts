import { type StepModel, stepCostMs } from '../../model/step-model.js'
import type { Chain, PlannedLeg } from '../ledger/ledger.js'
import { type EnginePlan, frameMsOf, heldMs } from './engine-plan.js'
import { isOverdue, lateMs, releaseMs } from './lease-times.js'

/** The most that one chain takes of its engine at any moment from now on. */
export interface ChainPeak {
  readonly blocks: number
  readonly stepMs: number
  readonly sessions: number
}

/**
 * The exact peak of a chain over all its legs. What its sessions hold only grows until one of them
 * is released, so the maximum is at one of the moments before a release.
 */
export function chainPeak(plan: EnginePlan, chain: Chain, nowMs: number): ChainPeak {
  let peak = restPeak(plan, chain)
  for (const ending of chain.legs) {
    const atMs = releaseMs(plan, ending, chain.pace, nowMs)
    const held = chain.legs.filter((leg) => {
      // An overdue leg has no known time of release, so it counts beside all later ones.
      const counts = leg.index >= ending.index || isOverdue(plan, leg, chain.pace, nowMs)
      return counts && leg.openMs < atMs
    })
    peak = larger(peak, {
      blocks: held.reduce((sum, leg) => sum + blocksAt(plan, { leg, chain, atMs, nowMs }), 0),
      stepMs: held.reduce((sum, leg) => sum + stepMsAt(plan, { leg, chain, atMs, nowMs }), 0),
      sessions: held.length,
    })
  }
  return peak
}

interface LegMoment {
  leg: PlannedLeg
  chain: Chain
  atMs: number
  nowMs: number
}

function framesReceived({ leg, chain, atMs, nowMs }: LegMoment): number {
  const startMs = leg.startMs + lateMs(leg, chain.pace, nowMs)
  const received = Math.floor((atMs - startMs) / frameMsOf(chain.pace)) + 1
  return chain.pace === 0 ? leg.frames : Math.max(0, Math.min(leg.frames, received))
}

function blocksAt(plan: EnginePlan, moment: LegMoment): number {
  const received = framesReceived(moment)
  const { frames } = moment.leg
  return received >= frames ? plan.curve.peakBlocks(frames) : plan.curve.blocksAfter(received)
}

function stepMsAt(plan: EnginePlan, moment: LegMoment): number {
  const { pace } = moment.chain
  return plan.stepModel === null
    ? 0
    : stepCostMs(plan.stepModel, framesReceived(moment)) * Math.max(1, pace)
}

/** Peak of the audio without planned legs: a leg of the longest length beside a new one. */
function restPeak(plan: EnginePlan, { restFrames, pace }: Chain): ChainPeak {
  if (restFrames === 0) return { blocks: 0, stepMs: 0, sessions: 0 }
  return changeOverPeak(plan, { frames: Math.min(plan.ceilingFrames, restFrames), pace })
}

/** The most that a lane takes with legs of that length: both sessions during a change of legs. */
export function changeOverPeak(
  plan: EnginePlan,
  { frames, pace }: { frames: number; pace: number },
): ChainPeak {
  // A half of the time in which both sessions are open is added, for lateness.
  const changeMs = 1.5 * (plan.openAheadMs + heldMs(plan, 0, pace))
  const young = Math.min(frames, pace === 0 ? frames : Math.ceil(changeMs / frameMsOf(pace)))
  const { curve, stepModel } = plan
  const both = (model: StepModel) => stepCostMs(model, frames) + stepCostMs(model, young)
  return {
    blocks: curve.peakBlocks(frames) + curve.blocksAfter(young),
    stepMs: stepModel ? both(stepModel) * Math.max(1, pace) : 0,
    sessions: 2,
  }
}

function larger(one: ChainPeak, other: ChainPeak): ChainPeak {
  return {
    blocks: Math.max(one.blocks, other.blocks),
    stepMs: Math.max(one.stepMs, other.stepMs),
    sessions: Math.max(one.sessions, other.sessions),
  }
}
