import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import type { Policy } from '../../src/admission/load/engine-plan.js'
import { runScenario, scenarioNames } from './scenarios.js'
import { runSeed, type SeedOutcome, type SeedWish } from './seed-run.js'

/**
 * The simulator: nights by seed through the admission, rotation, ledger and, at depth 2, session
 * code of production, on a clock of their own.
 *
 *     npm run sim -- --seeds 2000 [--from N] [--depth 1|2] [--policy elastic] [--twice]
 *     npm run sim -- --chaos ...                  nights in which all that can break does
 *     npm run sim -- --live ...                   live sessions beside recordings that fill it all
 *     npm run sim -- --seed N [--depth 1|2]       one night again, with its log
 *     npm run sim -- --scenario NAME              a night with figures to reach
 */
const LOG_LINES_SHOWN = 40
const FAULTS_SHOWN = 5
/** Seeds that a thread takes at a time. */
const SHARE = 10

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '2000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    depth: { type: 'string', default: '1' },
    policy: { type: 'string' },
    twice: { type: 'boolean', default: false },
    chaos: { type: 'boolean', default: false },
    live: { type: 'boolean', default: false },
    scenario: { type: 'string' },
  },
})

async function main(): Promise<void> {
  const wish: SeedWish = {
    depth: values.depth === '2' ? 2 : 1,
    policy: policyOf(values.policy),
    isTwice: values.twice,
    isChaos: values.chaos,
    isLive: values.live,
  }
  if (values.scenario !== undefined) await scenario(values.scenario)
  else if (values.seed !== undefined) await replay(Number(values.seed), wish)
  else await runSeeds({ from: Number(values.from), count: Number(values.seeds) }, wish)
}

function policyOf(text: string | undefined): Policy | null {
  if (text === undefined) return null
  if (text === 'reserve' || text === 'profile' || text === 'elastic') return text
  throw new Error(`--policy ${text}: reserve, profile or elastic; fixed knows no capacity.`)
}

async function scenario(name: string): Promise<void> {
  if (name !== 'all' && !scenarioNames.includes(name)) {
    throw new Error(`--scenario ${name}: all, ${scenarioNames.join(', ')}`)
  }
  const names = name === 'all' ? scenarioNames : [name]
  let isMet = true
  for (const each of names) isMet = (await runScenario(each)) && isMet
  if (!isMet) process.exitCode = 1
}

async function replay(seed: number, wish: SeedWish): Promise<void> {
  const outcome = await runSeed(seed, { ...wish, isTwice: true })
  for (const line of outcome.log) console.log(line)
  report([outcome])
}

async function runSeeds(seeds: { from: number; count: number }, wish: SeedWish): Promise<void> {
  const startedMs = performance.now()
  const outcomes: SeedOutcome[] = []
  const untilSeed = seeds.from + seeds.count
  let next = seeds.from
  const take = () => {
    const first = next
    next = Math.min(untilSeed, next + SHARE)
    return { first, until: next }
  }
  const add = (outcome: SeedOutcome) => {
    outcomes.push(outcome)
    if (outcome.faults.length > 0) show(outcome)
    if (process.stderr.isTTY) process.stderr.write(`\r${outcomes.length} of ${seeds.count} nights`)
  }
  const threads = Math.min(availableParallelism(), Math.ceil(seeds.count / SHARE))
  await Promise.all(Array.from({ length: threads }, () => runThread(wish, take, add)))
  if (process.stderr.isTTY) process.stderr.write('\r')
  report(outcomes)
  console.log(`${((performance.now() - startedMs) / 1000).toFixed(0)} s on ${threads} threads`)
}

/** One thread; it takes seeds until there are none. */
async function runThread(
  wish: SeedWish,
  take: () => { first: number; until: number },
  add: (outcome: SeedOutcome) => void,
): Promise<void> {
  const thread = new Worker(new URL('./seed-thread.mjs', import.meta.url), { workerData: wish })
  await new Promise<void>((resolve, reject) => {
    const give = () => {
      const { first, until } = take()
      if (first >= until) resolve()
      else thread.postMessage({ first, until })
    }
    thread.on('error', reject)
    thread.on('message', (message: SeedOutcome | 'ready') => {
      if (message === 'ready') give()
      else add(message)
    })
  })
  await thread.terminate()
}

function show({ seed, faults, log }: SeedOutcome): void {
  console.log(`\nseed ${seed}: ${faults.slice(0, FAULTS_SHOWN).join('; ')}`)
  for (const line of log.slice(-LOG_LINES_SHOWN)) console.log(`  ${line}`)
  const kind = values.chaos ? '--chaos ' : values.live ? '--live ' : ''
  console.log(`  again: npm run sim -- ${kind}--seed ${seed} --depth ${values.depth}`)
}

function report(outcomes: readonly SeedOutcome[]): void {
  const bad = outcomes.filter(({ faults }) => faults.length > 0)
  const legs = outcomes.reduce((sum, outcome) => sum + outcome.legs, 0)
  const hours = outcomes.reduce((sum, outcome) => sum + outcome.endedMs, 0) / 3_600_000
  const jobs = outcomes.reduce((sum, outcome) => sum + outcome.jobs, 0)
  console.log(
    `${outcomes.length} nights of ${hours.toFixed(0)} hours: ${jobs} jobs in ${legs} legs, ${bad.length} with a fault`,
  )
  if (values.chaos || values.live) console.log(countsOf(outcomes))
  const seeds = bad.map(({ seed }) => seed).sort((one, other) => one - other)
  if (seeds.length > 0) console.log(`seeds: ${seeds.join(' ')}`)
  if (bad.length > 0) process.exitCode = 1
}

/** What happened in all nights together. */
function countsOf(outcomes: readonly SeedOutcome[]): string {
  const totals: Record<string, number> = {}
  for (const { counts } of outcomes) {
    for (const [name, count] of Object.entries(counts)) {
      const known = totals[name] ?? 0
      totals[name] = name.endsWith('Max') ? Math.max(known, count) : known + count
    }
  }
  const names = Object.keys(totals).sort()
  return names.map((name) => `${name}: ${Math.round(totals[name] as number)}`).join(', ')
}

await main()
