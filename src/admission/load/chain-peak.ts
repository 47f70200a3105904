import { type StepModel, stepCostMs } from '../../model/step-model.js'
import type { Chain, PlannedLeg } from '../ledger/ledger.js'
import { type EnginePlan, frameMsOf, heldMs } from './engine-plan.js'
import { isOverdue, lateMs, releaseMs } from './lease-times.js'

/** The most that one chain asks of its engine at any moment from now on. */
export interface ChainPeak {
  readonly blocks: number
  readonly stepMs: number
  readonly sessions: number
}

/**
 * The peak of a chain over all its legs, exactly: what its sessions hold only grows until one of
 * them is released, so the moments before its releases are all there is to look at.
 */
export function chainPeak(plan: EnginePlan, chain: Chain, nowMs: number): ChainPeak {
  let peak = restPeak(plan, chain)
  for (const ending of chain.legs) {
    const atMs = releaseMs(plan, ending, chain.pace, nowMs)
    const held = chain.legs.filter((leg) => {
      // Nobody knows when an overdue one will be released.
      const stands = leg.index >= ending.index || isOverdue(plan, leg, chain.pace, nowMs)
      return stands && leg.openMs < atMs
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

function heardBy({ leg, chain, atMs, nowMs }: LegMoment): number {
  const startMs = leg.startMs + lateMs(leg, chain.pace, nowMs)
  const heard = Math.floor((atMs - startMs) / frameMsOf(chain.pace)) + 1
  return chain.pace === 0 ? leg.frames : Math.max(0, Math.min(leg.frames, heard))
}

function blocksAt(plan: EnginePlan, moment: LegMoment): number {
  const heard = heardBy(moment)
  const { frames } = moment.leg
  return heard >= frames ? plan.curve.peakBlocks(frames) : plan.curve.blocksAfter(heard)
}

function stepMsAt(plan: EnginePlan, moment: LegMoment): number {
  const { pace } = moment.chain
  return plan.stepModel === null
    ? 0
    : stepCostMs(plan.stepModel, heardBy(moment)) * Math.max(1, pace)
}

/** Legs that aren't planned yet: one of the longest beside a young one. */
function restPeak(plan: EnginePlan, { restFrames, pace }: Chain): ChainPeak {
  if (restFrames === 0) return { blocks: 0, stepMs: 0, sessions: 0 }
  return changeOverPeak(plan, { frames: Math.min(plan.ceilingFrames, restFrames), pace })
}

/** The most that a lane asks for with legs of so many frames: two of them at a change-over. */
export function changeOverPeak(
  plan: EnginePlan,
  { frames, pace }: { frames: number; pace: number },
): ChainPeak {
  // Both run while the old one ends, and half as long again where they overlap.
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
