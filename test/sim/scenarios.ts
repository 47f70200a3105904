import { type AlwaysOn, runAlwaysOn } from './always-on.js'
import { CARDS, type Card, engineOf, STEP_MS_MAX } from './card-plans.js'
import { runDecisions } from './decision-speed.js'
import { runMeetings } from './meetings-night.js'
import { runPlanner } from './planner-night.js'
import { writeResult } from './sim-result.js'

const SEED = 1
const HOURS_MINUTES = 120
const STEP_MINUTES = 30

/** What meetings without an end must come to on each card, `elastic`, step budget off. */
const ALWAYS_ON = [
  { meetings: 100, legS: 60, neverRotated: 22 },
  { meetings: 110, legS: 365, neverRotated: 47 },
  { meetings: 200, legS: 415, neverRotated: 92 },
] as const
/** More than any card carries. */
const TOO_MANY = 300
const LEGS_S = [20, 30, 60, 120] as const
/** Legs end in pauses, so their lengths lie around the wanted one. */
const AROUND = 0.2
const MAKESPAN_MAX = 1.05
const DECISION_P99_MS = 1
const PLANNER = { recordings: 1_000, engines: 3, wrongBy: 0.02 }
const PLANNER_SHAPE = { medianS: 2_400, sigma: 0.6, leastS: 120, mostS: 7_200 }

interface Scenario {
  run(): Promise<{ rows: Record<string, string | number | boolean>[]; isMet: boolean }>
}

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'always-on': { run: alwaysOn },
  'step-budget': { run: stepBudget },
  meetings: { run: meetings },
  decision: { run: decision },
  planner: { run: planner },
}

/** Every scenario there is. */
export const scenarioNames = Object.keys(SCENARIOS)

/** Runs one, prints its figures and keeps them. @returns whether they are what they must be */
export async function runScenario(name: string): Promise<boolean> {
  const scenario = SCENARIOS[name]
  if (!scenario) throw new Error(`There is no scenario ${name}.`)
  const { rows, isMet } = await scenario.run()
  console.log(`\n${name}${isMet ? '' : ': MISSED'}`)
  console.table(rows)
  console.log(await writeResult(name, { rows, isMet }))
  return isMet
}

async function alwaysOn() {
  const rows = []
  let isMet = true
  for (const [at, record] of CARDS.entries()) {
    const { meetings, legS, neverRotated } = ALWAYS_ON[at] as (typeof ALWAYS_ON)[number]
    const options = { minutes: HOURS_MINUTES, seed: SEED }
    const rotated = await runAlwaysOn(engineOf(record), { ...options, meetings })
    rows.push({ ...rowOf(record, 'elastic', rotated), leg_s_least: legS })
    const uncut = engineOf(record, { policy: 'profile', ceilingS: Number.POSITIVE_INFINITY })
    const never = await runAlwaysOn(uncut, { ...options, meetings: neverRotated + 20 })
    rows.push({ ...rowOf(record, 'profile, ceiling off', never), leg_s_least: 0 })
    isMet &&= rotated.sessions >= meetings && rotated.meanLegS >= legS
    isMet &&= never.sessions === neverRotated && rotated.overflows + never.overflows === 0
  }
  return { rows, isMet }
}

async function stepBudget() {
  const rows = []
  let isMet = true
  const options = { meetings: TOO_MANY, minutes: STEP_MINUTES, seed: SEED }
  for (const record of CARDS) {
    for (const legS of LEGS_S) {
      const wish = { hasSteps: true, floorS: legS * (1 - AROUND), ceilingS: legS * (1 + AROUND) }
      const result = await runAlwaysOn(engineOf(record, wish), options)
      rows.push(rowOf(record, `elastic, legs around ${legS} s`, result))
      isMet &&= result.stepMsMax <= STEP_MS_MAX && result.overflows === 0
    }
    const all = await runAlwaysOn(engineOf(record, { hasSteps: true }), options)
    rows.push(rowOf(record, 'elastic, 20 s to 600 s', all))
    const wish = { hasSteps: true, policy: 'profile', ceilingS: Number.POSITIVE_INFINITY } as const
    const uncut = await runAlwaysOn(engineOf(record, wish), {
      ...options,
      minutes: STEP_MINUTES / 2,
    })
    rows.push(rowOf(record, 'profile, ceiling off, half an hour each', uncut))
    isMet &&= Math.max(all.stepMsMax, uncut.stepMsMax) <= STEP_MS_MAX
  }
  return { rows, isMet }
}

function rowOf(record: Card, policy: string, result: AlwaysOn) {
  return {
    record: record.name,
    kv_blocks: record.kvBlocks,
    policy,
    sessions: result.sessions,
    last_start_s: result.lastStartS,
    leg_s_mean: round(result.meanLegS),
    legs: result.legs,
    kv_blocks_max: result.kvBlocksMax,
    step_ms_max: round(result.stepMsMax),
    overflows: result.overflows,
  }
}

async function meetings() {
  const { kvBoundS, sessionBoundS, longestS, nights } = await runMeetings(SEED)
  const bounds = { kv_bound_s: round(kvBoundS), session_bound_s: round(sessionBoundS) }
  const rows = nights.map((night) => ({
    policy: night.policy,
    lanes_max: night.lanesMax,
    makespan_s: round(night.makespanS),
    of_bound: Math.round(night.ratio * 1_000) / 1_000,
    kv_blocks_max: night.kvBlocksMax,
    overflows: night.overflows,
    ...bounds,
    longest_s: round(longestS),
  }))
  const elastic = nights[0]
  const isMet = elastic !== undefined && elastic.ratio <= MAKESPAN_MAX && elastic.overflows === 0
  return { rows, isMet }
}

async function decision() {
  const rows = await runDecisions(SEED)
  const isMet = rows.every(({ part, p99_ms }) => part !== 'decide' || p99_ms < DECISION_P99_MS)
  return { rows, isMet }
}

async function planner() {
  const { recordings, engines: count, wrongBy } = PLANNER
  const engines = Array.from({ length: count }, (_, at) => {
    return { ...engineOf(CARDS[0] as Card), id: `engine ${at}` }
  })
  const figures = await runPlanner({ recordings, engines, shape: PLANNER_SHAPE, seed: SEED })
  const row = {
    ...{ recordings, engines: count },
    forecast_s: round(figures.forecastMs / 1_000),
    carried_s: round(figures.carriedMs / 1_000),
    ratio: Math.round(figures.ratio * 10_000) / 10_000,
    lanes_forecast: figures.lanesForecast,
    lanes_carried: figures.lanesCarried,
    overflows: figures.overflows,
  }
  const isMet = Math.abs(figures.ratio - 1) <= wrongBy && figures.overflows === 0
  return { rows: [row], isMet }
}

function round(value: number): number {
  return Number.isFinite(value) ? Math.round(value * 10) / 10 : 0
}
