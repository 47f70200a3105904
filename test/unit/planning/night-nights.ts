import type { EnginePlan, Policy } from '../../../src/admission/load/engine-plan.js'
import type { SessionDemand } from '../../../src/admission/pool/session-pool.js'
import { seededRandom } from '../../../src/kernel/seeded-random.js'
import { LegCurve } from '../../../src/model/leg-curve.js'
import { randomCuts } from '../../sim/recordings.js'

const curve = new LegCurve({
  blockTokens: 16,
  encoderWindowTokens: 189,
  decoderWindowTokens: 8192,
  decoderBlockRatio: 8,
})

/** An engine of so many usable blocks, without a step budget. */
export function enginePlan(
  policy: Policy,
  options: { kvBlocks?: number; lanes?: number } = {},
): EnginePlan {
  const { kvBlocks = 288, lanes = Number.POSITIVE_INFINITY } = options
  const unlimited = Number.POSITIVE_INFINITY
  return {
    policy,
    limits: { kvBlocks, stepMs: unlimited, sessions: unlimited, lanes },
    curve,
    stepModel: null,
    floorFrames: 250,
    ceilingFrames: 7_500,
    openAheadMs: 1_000,
    tailMs: 1_360,
  }
}

/** A recording of one lane with pauses at random. */
export function recording(
  jobId: string,
  durationS: number,
  changes: Partial<Pick<SessionDemand, 'priority' | 'deadlineMs'>> & { seed?: number } = {},
): SessionDemand {
  const { seed = 1, priority = 0, deadlineMs = null } = changes
  const cuts = randomCuts(seededRandom(seed), { durationS, pauseEveryS: 6 })
  const lane = { pace: 1, fromFrame: 0, cuts, remainingMs: durationS * 1000 }
  return { tenant: 'default', jobId, name: jobId, priority, deadlineMs, live: false, lanes: [lane] }
}
