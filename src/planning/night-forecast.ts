import type { EnginePlan } from '../admission/load/engine-plan.js'
import { waitingOrder } from '../admission/pool/waiting-order.js'
import {
  engineForecasts,
  type ForecastEngine,
  type NightCourse,
  type NightForecast,
  paceOf,
  runCourse,
  waiterOf,
} from './night-course.js'
import { type LaneMeasurements, lanesByMean, planKind } from './night-lanes.js'

/** Factor on blocks and steps so that they never bind: only the number of lanes shall. */
const WIDE = 2
/** The real rotation always has room for this share of the lanes that averages allow. */
const CROWDED_SHARE = 0.7

/** The night that is to be forecast, with what was measured before. */
export interface ForecastNight extends NightCourse {
  /** Measurements of earlier forecasts for the same recordings at the same pace. */
  readonly measured: LaneMeasurements
}

/**
 * Forecasts how a night would go with nothing going wrong; takes seconds. Jobs are admitted by the
 * code of production and then run as wholes (`runCourse`). That leaves out that cuts can't be
 * placed at any moment. So where jobs have to wait with the policy `elastic`, the number of lanes
 * that the real rotation has room for is measured first (`measureLanes`).
 *
 * Compared with a night that is simulated leg by leg, 1,000 recordings on 3 engines (`test/sim`),
 * the forecast end was within 0.2 %.
 *
 * @throws the signal's reason
 */
export async function forecastNight(
  night: ForecastNight,
  { signal }: { signal: AbortSignal },
): Promise<NightForecast> {
  const byMean = await runCourse(night, { signal })
  if (!isCrowded(night, byMean)) return byMean
  const refused = new Set(byMean.refused.map(({ jobId }) => jobId))
  const jobs = night.jobs.filter(({ jobId }) => !refused.has(jobId))
  const engines = await withMeasuredLanes({ ...night, jobs }, { signal })
  if (engines === null) return byMean
  const byLanes = await runCourse({ ...night, jobs, engines }, { signal })
  return {
    ...byLanes,
    refused: [...byMean.refused, ...byLanes.refused],
    engines: engineForecasts(night, byLanes.engines),
  }
}

/** Whether a job waits, or would wait if engines had room for fewer lanes than averages allow. */
function isCrowded({ engines, jobs }: ForecastNight, byMean: NightForecast): boolean {
  if (byMean.waitedMs > 0) return true
  const pace = paceOf(jobs)
  return byMean.engines.some(({ lanesMax }, at) => {
    const plan = engines[at]?.plan
    const most = plan?.policy === 'elastic' ? lanesByMean(plan, pace) : null
    return most !== null && lanesMax > most * CROWDED_SHARE
  })
}

/**
 * The engines with the number of lanes as measured with the real rotation, and with other limits
 * wide enough not to bind as well; null where no engine needs a measurement.
 */
async function withMeasuredLanes(
  { engines, jobs, startMs, agingMs, measured }: ForecastNight,
  { signal }: { signal: AbortSignal },
): Promise<ForecastEngine[] | null> {
  const waiters = jobs.map((job) => waiterOf(job, startMs))
  const byId = new Map(jobs.map((job) => [job.jobId, job]))
  const ordered = waitingOrder(waiters, { nowMs: startMs, agingMs })
  const inOrder = ordered.flatMap(({ jobId }) => byId.get(jobId) ?? [])
  // Each engine gets a whole number of lanes; the remainder goes on to the next equal engine, so
  // that all of them together get what was measured.
  const owed = new Map<string, number>()
  let isMeasured = false
  const limited: ForecastEngine[] = []
  for (const engine of engines) {
    const { plan } = engine
    const kind = planKind(plan)
    const ofKind = engines.filter((each) => planKind(each.plan) === kind).length
    const question = { plan, engines: ofKind, jobs: inOrder }
    const lanes = await measured.lanesOf(question, { signal })
    if (lanes === null) {
      limited.push(engine)
      continue
    }
    isMeasured = true
    const due = lanes + (owed.get(kind) ?? 0)
    const whole = Math.max(1, Math.round(due))
    owed.set(kind, due - whole)
    limited.push({ ...engine, plan: withLanes(plan, whole) })
  }
  return isMeasured ? limited : null
}

/** The plan with lanes as its only limit: they were measured with all other limits in force. */
function withLanes(plan: EnginePlan, lanes: number): EnginePlan {
  const { kvBlocks, stepMs, sessions } = plan.limits
  const limits = {
    kvBlocks: kvBlocks * WIDE,
    stepMs: stepMs * WIDE,
    sessions: sessions * WIDE,
    lanes: Math.min(plan.limits.lanes, lanes),
  }
  // With that room legs would grow to the longest; short ones keep the computation fast, and the
  // length of legs has no effect here any more.
  const ceilingFrames = Math.min(plan.ceilingFrames, plan.floorFrames * 2)
  return { ...plan, limits, ceilingFrames }
}
