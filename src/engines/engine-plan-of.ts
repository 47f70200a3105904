import { legFramesByContext, requireContext } from '../admission/load/engine-capacity.js'
import type { EnginePlan } from '../admission/load/engine-plan.js'
import type { Settings } from '../config/schema.js'
import { LegCurve } from '../model/leg-curve.js'
import { STEP_MS } from '../model/pcm.js'
import { tailSteps } from '../model/step-law.js'
import { STEP_BUDGET_MS } from '../model/step-model.js'
import { type EngineFacts, requireUsable } from './read-engine.js'

/** Lanes at a time with the policy `fixed` where `engine.sessionsMax` is not set. */
const FIXED_LANES = 8

/**
 * The limits of an engine, by its own figures, its GPU profile and the settings.
 * @throws ConfigError naming engine and setting: see `requireUsable`
 */
export function planOf(
  settings: Settings,
  facts: EngineFacts,
): { plan: EnginePlan; liveShare: number } {
  const { admission, legs, engine } = settings
  const { description, kvModel, gpu, address } = facts
  const { policy } = admission
  const { maxModelLen } = description
  const isFixed = policy === 'fixed'
  requireContext(address.url, { maxModelLen, floorMs: legs.floorMs })
  const capacity = isFixed ? null : requireUsable(settings, facts)
  const kvBlocks = capacity
    ? capacity.kvBlocksBatch + capacity.kvBlocksLive
    : Number.POSITIVE_INFINITY
  const stepModel = gpu?.stepModel ?? null
  const stepMs = stepModel
    ? STEP_BUDGET_MS * admission.stepShare - stepModel.baseMs
    : Number.POSITIVE_INFINITY
  const lanes = engine.sessionsMax ?? (isFixed ? FIXED_LANES : Number.POSITIVE_INFINITY)
  const contextFrames = maxModelLen === null ? Infinity : legFramesByContext(maxModelLen)
  const plan: EnginePlan = {
    policy,
    limits: { kvBlocks, stepMs, sessions: Number.POSITIVE_INFINITY, lanes },
    curve: new LegCurve(kvModel),
    stepModel,
    floorFrames: Math.ceil(legs.floorMs / STEP_MS),
    ceilingFrames: Math.min(Math.floor(legs.ceilingMs / STEP_MS), contextFrames),
    openAheadMs: legs.openAheadMs,
    tailMs: tailSteps() * STEP_MS + engine.deltaDelayMs + description.deltaDelayMs,
  }
  return { plan, liveShare: admission.liveShare }
}
