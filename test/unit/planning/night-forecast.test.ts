import { describe, expect, it } from 'vitest'
import type { EnginePlan } from '../../../src/admission/load/engine-plan.js'
import type { SessionDemand } from '../../../src/admission/pool/session-pool.js'
import { StopRequested } from '../../../src/kernel/errors.js'
import type { NightForecast } from '../../../src/planning/night-course.js'
import { forecastNight } from '../../../src/planning/night-forecast.js'
import { LaneMeasurements, lanesByMean } from '../../../src/planning/night-lanes.js'
import { runPlanner } from '../../sim/planner-night.js'
import { enginePlan, recording } from './night-nights.js'

const START_MS = Date.UTC(2026, 10, 21, 22)
const AGING_MS = 1_800_000

async function forecast(
  plans: readonly EnginePlan[],
  jobs: readonly SessionDemand[],
  signal = new AbortController().signal,
): Promise<NightForecast> {
  const engines = plans.map((plan, index) => ({ id: `e${index}`, plan, liveShare: 0 }))
  const measured = new LaneMeasurements()
  const night = { engines, jobs, startMs: START_MS, agingMs: AGING_MS, measured }
  return await forecastNight(night, { signal })
}

/** Job ids in the order in which they begin. */
const order = ({ jobs }: NightForecast) => jobs.map(({ jobId }) => jobId)

/** What one recording takes on the engines of these tests: opening, audio, tail. */
const takesMs = (durationS: number) => 1_000 + durationS * 1000 + 1_360

describe('forecastNight', () => {
  it('carries one recording for its length and what is around it', async () => {
    const { jobs, finishMs, waitedMs } = await forecast(
      [enginePlan('elastic')],
      [recording('a', 600)],
    )
    const end = START_MS + takesMs(600)
    expect(jobs).toEqual([{ jobId: 'a', engine: 'e0', startMs: START_MS, finishMs: end }])
    expect({ finishMs, waitedMs }).toEqual({ finishMs: end, waitedMs: 0 })
  })

  it('ends at once without recordings', async () => {
    const empty = await forecast([enginePlan('elastic')], [])
    expect(empty).toMatchObject({ finishMs: START_MS, jobs: [], refused: [] })
  })

  it('lets the longest in first, then one whenever another ends', async () => {
    const plan = enginePlan('fixed', { lanes: 2 })
    const night = [600, 300, 900, 100].map((length) => recording(`${length}`, length))
    const { jobs, finishMs, engines } = await forecast([plan], night)
    const starts = jobs.map(({ jobId, startMs }) => [jobId, startMs - START_MS])
    expect(starts).toEqual([
      ['900', 0],
      ['600', 0],
      ['300', takesMs(600)],
      ['100', takesMs(900)],
    ])
    expect(finishMs - START_MS).toBe(takesMs(900) + takesMs(100))
    expect(engines).toEqual([{ id: 'e0', lanesMax: 2, legMs: null }])
  })

  it('goes by priority, then by deadline, before it goes by length', async () => {
    const plan = enginePlan('fixed', { lanes: 1 })
    const night = [
      recording('long', 900),
      recording('wanted', 100, { deadlineMs: START_MS + 3_600_000 }),
      recording('first', 60, { priority: 5 }),
    ]
    expect(order(await forecast([plan], night))).toEqual(['first', 'wanted', 'long'])
  })

  it('shares the night among all engines', async () => {
    const plans = [enginePlan('fixed', { lanes: 1 }), enginePlan('fixed', { lanes: 1 })]
    const { jobs, finishMs } = await forecast(plans, [recording('a', 300), recording('b', 300)])
    expect(new Set(jobs.map(({ engine }) => engine))).toEqual(new Set(['e0', 'e1']))
    expect(finishMs - START_MS).toBe(takesMs(300))
  })

  it('refuses what can never fit, and carries the rest', async () => {
    const { refused, jobs } = await forecast(
      [enginePlan('reserve', { kvBlocks: 40 })],
      [recording('long', 3_600), recording('short', 60)],
    )
    expect(refused.map(({ jobId }) => jobId)).toEqual(['long'])
    expect(refused[0]?.sentence).toContain("long doesn't fit on any engine")
    expect(jobs.map(({ jobId }) => jobId)).toEqual(['short'])
  })

  it('makes room by shorter legs at once, as long as there are shorter ones', async () => {
    const plan = enginePlan('elastic')
    const most = lanesByMean(plan, 1) ?? 0
    const half = Array.from({ length: Math.floor(most / 2) }, (_, at) => recording(`${at}`, 900))
    const { waitedMs, engines } = await forecast([plan], half)
    expect(waitedMs).toBe(0)
    expect(engines[0]?.lanesMax).toBe(half.length)
  })

  it('stops with the signal’s reason', async () => {
    const reason = new StopRequested('canceled', 'Stop.')
    const stopped = forecast(
      [enginePlan('elastic')],
      [recording('a', 60)],
      AbortSignal.abort(reason),
    )
    await expect(stopped).rejects.toBe(reason)
  })

  // The whole figure, 1,000 recordings on 3 engines within 2 %, takes half an hour to carry leg by
  // leg (`npm run sim -- --scenario planner`); this is such a night in small, whose
  // last recordings weigh more.
  it('ends within 6 % of a night that is carried leg by leg', async () => {
    const plan = enginePlan('elastic', { kvBlocks: 144 })
    const { ratio, waitedMs, overflows } = await runPlanner({
      recordings: 48,
      engines: [0, 1].map((at) => ({ id: `e${at}`, plan, capacity: 150, baseMs: 12 })),
      shape: { medianS: 600, sigma: 0.3, leastS: 120, mostS: 1_200 },
      seed: 1,
    })
    expect(waitedMs).toBeGreaterThan(0)
    expect(overflows).toBe(0)
    expect(Math.abs(ratio - 1)).toBeLessThan(0.06)
  })
})
