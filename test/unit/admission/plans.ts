import fc from 'fast-check'
import type { PlannedLeg } from '../../../src/admission/ledger/ledger.js'
import { type Chain, EMPTY_LEDGER, type Ledger } from '../../../src/admission/ledger/ledger.js'
import type { CutOption } from '../../../src/admission/legs/cut-option.js'
import type { EngineLimits, EnginePlan } from '../../../src/admission/load/engine-plan.js'
import { RELEASE_GRACE_MS } from '../../../src/admission/load/engine-plan.js'
import { type KvModel, kvBlocksPlanned } from '../../../src/model/kv-model.js'
import type { StepModel } from '../../../src/model/step-model.js'
import { enginePlan } from '../planning/night-nights.js'

/** What the curve of `planOf` is made of. */
export const MODEL: KvModel = {
  blockTokens: 16,
  encoderWindowTokens: 189,
  decoderWindowTokens: 8192,
  decoderBlockRatio: 8,
}

export const STEPS: StepModel = { baseMs: 12, perSessionMs: 0.25, perFrameMs: 0.0015 }

/** The elastic engine of 288 blocks, except for these. */
export function planOf(
  changes: Partial<Omit<EnginePlan, 'limits'>> & { limits?: Partial<EngineLimits> } = {},
): EnginePlan {
  const plan = enginePlan(changes.policy ?? 'elastic')
  return { ...plan, ...changes, limits: { ...plan.limits, ...changes.limits } }
}

/** A lease of 250 frames that is due at 1 s and on time, except for these. */
export function legOf(changes: Partial<PlannedLeg> = {}): PlannedLeg {
  const startMs = changes.startMs ?? 1_000
  const times = { openMs: startMs - 1_000, startMs, frames: 250 }
  return { index: 0, open: true, ...times, behindMs: 0, stoppedFrame: null, ...changes }
}

export function chainOf(
  id: string,
  legs: readonly PlannedLeg[],
  changes: Partial<Chain> = {},
): Chain {
  const rest = { restFrames: 0, parkedSinceMs: null }
  return { id, worker: 'w', pace: 1, live: false, legs, ...rest, ...changes }
}

export function ledgerOf(...chains: readonly Chain[]): Ledger {
  return { ...EMPTY_LEDGER, chains }
}

/** A recording of so many frames with a pause every so often. */
export function pausesEvery(everyFrames: number, frames: number): CutOption[] {
  const count = Math.ceil(frames / everyFrames)
  return Array.from({ length: count }, (_, at): CutOption => {
    const isEnd = at === count - 1
    const endFrame = isEnd ? frames : (at + 1) * everyFrames
    return { endFrame, nextFrame: endFrame, kind: isEnd ? 'end' : 'pause' }
  })
}

/** What sessions ask for at one moment. */
export interface Held {
  blocks: number
  stepMs: number
  sessions: number
}

/** When a leg that is on time is released, by its own figures. */
export function releasedMs(plan: EnginePlan, leg: PlannedLeg, pace: number): number {
  return leg.startMs + leg.frames * (80 / (pace || 1)) + plan.tailMs + RELEASE_GRACE_MS
}

/**
 * What a leg that is on time holds at a moment, by the law alone: not by curve, profile or tables.
 */
export function heldAt(plan: EnginePlan, leg: PlannedLeg, pace: number, atMs: number): Held {
  if (atMs < leg.openMs || atMs >= releasedMs(plan, leg, pace)) return NOTHING_HELD
  const due = Math.floor((atMs - leg.startMs) / (80 / (pace || 1))) + 1
  const sent = Math.max(0, Math.min(leg.frames, due))
  const isOver = pace === 0 || sent === leg.frames
  const deltas = isOver ? leg.frames + 10 : Math.max(0, sent - 7)
  const { perSessionMs, perFrameMs } = plan.stepModel ?? { perSessionMs: 0, perFrameMs: 0 }
  // A frame is heard in full when the next one is due.
  const heard = Math.max(0, Math.min(leg.frames, (atMs - leg.startMs) / (80 / (pace || 1))))
  const stepMs = sent === 0 ? 0 : (perSessionMs + perFrameMs * heard) * Math.max(1, pace)
  return { blocks: kvBlocksPlanned(MODEL, deltas), stepMs, sessions: 1 }
}

const NOTHING_HELD: Held = { blocks: 0, stepMs: 0, sessions: 0 }

/** Legs at any time around 0 on a grid of 8 ms, on which all their events lie at paces below. */
export const anyLeg: fc.Arbitrary<PlannedLeg> = fc
  .record({
    open: fc.integer({ min: -3_000, max: 3_000 }),
    ahead: fc.integer({ min: 0, max: 300 }),
    frames: fc.integer({ min: 1, max: 400 }),
  })
  .map(({ open, ahead, frames }) =>
    legOf({ openMs: open * GRID_MS, startMs: (open + ahead) * GRID_MS, frames }),
  )
export const GRID_MS = 8
export const anyPace: fc.Arbitrary<number> = fc.constantFrom(0, 0.5, 1, 2)
