import type { EnginePlan } from '../../src/admission/engine-plan.js'
import { MemoryLedgerStore } from '../../src/admission/memory-ledger-store.js'
import { MemoryWaitingList } from '../../src/admission/memory-waiting-list.js'
import { StopRequested } from '../../src/kernel/errors.js'
import { seededRandom } from '../../src/kernel/seeded-random.js'
import { SimulatedClock } from '../../src/kernel/simulated-clock.js'
import type { LegTrouble } from '../../src/planning/simulated-leg.js'
import { type NightJob, simulateNight } from '../../src/planning/simulated-night.js'
import { EngineTruth } from './engine-truth.js'

/** Nothing goes wrong; the last steps take a third of a second. */
export const NO_TROUBLE: LegTrouble = {
  failShare: 0,
  slipShare: 0,
  slipMaxMs: 0,
  tailMaxMs: 300,
  lateCloseShare: 0,
  lateCloseMaxMs: 0,
}

/** A leg as it was carried. */
export interface LegRecord {
  jobId: string
  lane: number
  fromFrame: number
  endFrame: number
  engine: string
  atMs: number
}

/** What a simulated night gave. */
export interface NightResult {
  legs: LegRecord[]
  startedMs: Map<string, number>
  finishedMs: Map<string, number>
  truths: EngineTruth[]
  /** Lines that two runs of one seed must share. */
  log: string[]
  endedMs: number
}

/** How a night is run. */
export interface NightRun {
  seed: number
  engines: readonly { id: string; plan: EnginePlan; capacity: number; baseMs: number }[]
  jobs: readonly NightJob[]
  trouble?: LegTrouble
  agingMs?: number
  /** Ends the night then, whatever still runs; for what never ends by itself. */
  untilMs?: number
}

/** Runs one night on a clock of its own. */
export async function runNight(run: NightRun): Promise<NightResult> {
  const clock = new SimulatedClock()
  const random = seededRandom(run.seed)
  const truths = run.engines.map(({ plan, capacity, baseMs }) => {
    return new EngineTruth(plan, { capacity, baseMs })
  })
  const result: NightResult = {
    legs: [],
    startedMs: new Map(),
    finishedMs: new Map(),
    truths,
    log: [],
    endedMs: 0,
  }
  const stop = new AbortController()
  const log = (line: string) => result.log.push(`${Math.round(clock.monotonicMs())} ${line}`)
  const night = simulateNight({
    engines: run.engines,
    jobs: run.jobs,
    clock,
    random,
    store: new MemoryLedgerStore({ clock }),
    waiting: new MemoryWaitingList({ clock }),
    trouble: run.trouble ?? NO_TROUBLE,
    openSession: (lease) => {
      const at = run.engines.findIndex(({ id }) => id === lease.desk.engine)
      return (truths[at] as EngineTruth).open(() => clock.monotonicMs())
    },
    onStart: (jobId, atMs) => {
      result.startedMs.set(jobId, atMs)
      log(`start ${jobId}`)
    },
    onLeg: (jobId, leg) => {
      result.legs.push({ jobId, ...leg, atMs: clock.monotonicMs() })
      log(`leg ${jobId}/${leg.lane} ${leg.fromFrame}-${leg.endFrame} on ${leg.engine}`)
    },
    onFinish: (jobId, atMs) => {
      result.finishedMs.set(jobId, atMs)
      log(`finish ${jobId}`)
    },
    agingMs: run.agingMs ?? 1_800_000,
    signal: stop.signal,
  })
  const { untilMs } = run
  if (untilMs === undefined) await clock.run(night)
  else {
    const over = new StopRequested('internal', 'The time of the simulation is over.')
    const until = clock.sleepUntil(untilMs, { signal: stop.signal }).then(() => stop.abort(over))
    await clock.run(Promise.all([until, night.catch((error) => stopIs(error, over))]))
  }
  result.endedMs = clock.monotonicMs()
  return result
}

function stopIs(error: unknown, expected: StopRequested): void {
  if (error !== expected) throw error
}
