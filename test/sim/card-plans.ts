import type { EnginePlan, Policy } from '../../src/admission/load/engine-plan.js'
import { LegCurve } from '../../src/model/leg-curve.js'
import { STEP_MS } from '../../src/model/pcm.js'
import { STEP_BUDGET_MS, type StepModel } from '../../src/model/step-model.js'
import type { NightEngine } from './night-run.js'

/** A card by what its engine's sessions can hold. */
export interface Card {
  name: string
  kvBlocks: number
}

/** The cards that the figures are stated for. */
export const CARDS: readonly Card[] = [
  { name: 'L40S', kvBlocks: 1_728 },
  { name: '80 GB', kvBlocks: 3_712 },
  { name: 'H200', kvBlocks: 7_232 },
]

/** What steps are taken to cost where they count. */
export const STEP_MODEL: StepModel = { baseMs: 12, perSessionMs: 0.25, perFrameMs: 0.0015 }
/** Of every step, all sessions and the base together. */
export const STEP_MS_MAX = 0.8 * STEP_BUDGET_MS

/** From vLLM 0.25 on, blocks of 16 tokens. */
export const CURVE = new LegCurve({
  blockTokens: 16,
  encoderWindowTokens: 189,
  decoderWindowTokens: 8192,
  decoderBlockRatio: 8,
})

/** What may differ from card to card. */
export interface CardWish {
  policy?: Policy
  hasSteps?: boolean
  floorS?: number
  /** Infinite: never cut. */
  ceilingS?: number
  lanesMax?: number
}

/** The engine of a card with safety factor 1 and the default lengths of legs. */
export function engineOf(record: Card, wish: CardWish = {}): NightEngine {
  const { policy = 'elastic', hasSteps = false, floorS = 20, ceilingS = 600 } = wish
  const frames = (seconds: number) => Math.round((seconds * 1_000) / STEP_MS)
  const plan: EnginePlan = {
    policy,
    limits: {
      kvBlocks: record.kvBlocks,
      stepMs: hasSteps ? STEP_MS_MAX - STEP_MODEL.baseMs : Number.POSITIVE_INFINITY,
      sessions: Number.POSITIVE_INFINITY,
      lanes: wish.lanesMax ?? Number.POSITIVE_INFINITY,
    },
    curve: CURVE,
    stepModel: hasSteps ? STEP_MODEL : null,
    floorFrames: frames(floorS),
    ceilingFrames: frames(ceilingS),
    openAheadMs: 1_000,
    tailMs: 17 * STEP_MS,
  }
  return { id: record.name, plan, capacity: record.kvBlocks, baseMs: STEP_MODEL.baseMs }
}
