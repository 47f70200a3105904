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

/** So much more than there is never binds where the number of lanes does. */
const WIDE = 2
/** The real rotation always carries this share of the lanes that averages allow. */
const CROWDED_SHARE = 0.7

/** The night that is to be told in advance. */
export interface ForecastNight extends NightCourse {
  /** What was measured for other nights of the same recordings at the same pace. */
  readonly measured: LaneMeasurements
}

/**
 * Tells how a night would go with nothing going wrong, in seconds: jobs are let in by the code of
 * production and then carried as wholes (`runCourse`). What that leaves out is that cuts can't be
 * placed at will; so where jobs have to wait with the policy `elastic` it is seen first how many
 * lanes the real rotation carries (`measureLanes`).
 *
 * Against a night that is carried leg by leg, 1,000 recordings on 3 engines (`test/sim`), the end
 * was told to within 0.2 %.
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

/** Whether somebody waits, or would where fewer lanes are carried than averages allow. */
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
 * The engines with as many lanes as the real rotation carries on them, and with the rest wide
 * enough not to bind as well; null where there is nothing to measure.
 */
async function withMeasuredLanes(
  { engines, jobs, startMs, agingMs, measured }: ForecastNight,
  { signal }: { signal: AbortSignal },
): Promise<ForecastEngine[] | null> {
  const waiters = jobs.map((job) => waiterOf(job, startMs))
  const byId = new Map(jobs.map((job) => [job.jobId, job]))
  const ordered = waitingOrder(waiters, { nowMs: startMs, agingMs })
  const inOrder = ordered.flatMap(({ jobId }) => byId.get(jobId) ?? [])
  // Of equal engines each carries whole lanes, and all of them together what was measured.
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

/** Lanes alone bind: their number was measured with all that binds beside it. */
function withLanes(plan: EnginePlan, lanes: number): EnginePlan {
  const { kvBlocks, stepMs, sessions } = plan.limits
  const limits = {
    kvBlocks: kvBlocks * WIDE,
    stepMs: stepMs * WIDE,
    sessions: sessions * WIDE,
    lanes: Math.min(plan.limits.lanes, lanes),
  }
  // Legs would grow until they fill what there is; their length doesn't matter any more.
  const ceilingFrames = Math.min(plan.ceilingFrames, plan.floorFrames * 2)
  return { ...plan, limits, ceilingFrames }
}
