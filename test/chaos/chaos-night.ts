import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { RedisLedgerStore } from '../../src/admission/store/redis-ledger-store.js'
import { UpstreamError } from '../../src/kernel/errors.js'
import { sourceAddress } from '../../src/pipeline/intake/source-address.js'
import { type Submission, submitRecording } from '../../src/pipeline/intake/submit-recording.js'
import { retryFailedJobs } from '../../src/pipeline/lifecycle/end-job.js'
import { isFinal } from '../../src/queue/contract/job-status.js'
import { OPEN } from '../fakes/open-signal.js'
import { type ChaosStack, startChaosStack } from './chaos-stack.js'
import { faultStream } from './fault-stream.js'
import { type EngineCount, FaultStriker, type StruckFault } from './fault-striker.js'
import { HeardSessions } from './heard-sessions.js'
import {
  laneName,
  type NightOptions,
  type NightRecording,
  nightRecordings,
  wordPlaces,
} from './night-recordings.js'
import { type JobVerdict, judgeJob, judgeLeftovers, type LeftoverVerdict } from './night-verdict.js'

/** A night with bad weather. */
export interface ChaosNightOptions {
  seed: number
  recordings: Omit<NightOptions, 'seed' | 'folder' | 'onMade'>
  /** Multiple of real time at which they are replayed. */
  pace: number
  /** Faults that shall strike. */
  faults: number
  /** Over how long; half of the recordings come at its beginning, the rest one after the other. */
  stormMs: number
  /** See `FaultStreamOptions`. */
  severity: number
  hasSilentStorage: boolean
  /** How long after the storm everything must be done. */
  calmMs: number
  /** Leases of workers that died at the end are waited for, too: 45 s and more. */
  waitsForDead: boolean
  /** KV blocks of each of the two engines. */
  blocks: number
  /** Settings other than the defaults. */
  settings: Record<string, unknown>
  logFolder: string | null
  /** Told what happens, for people who wait. */
  onNews: (news: string) => void
  /** Ends the night; everything that was started is ended, too. */
  signal: AbortSignal
}

/** What the night has come to; times from its start. */
export interface ChaosNight {
  startMs: number
  stormMs: number
  wallMs: number
  faults: StruckFault[]
  jobs: JobVerdict[]
  heard: HeardSessions
  /** By recording. */
  fences: Map<string, { fence: number; atMs: number }[]>
  engines: EngineCount[]
  /** Jobs that were given up and started again after the storm. */
  deadLetters: string[]
  /** Ends of workers that nobody brought about. */
  unexpectedEnds: string[]
  /** Errors that no part of the product classified. */
  bugs: string[]
  /** Lanes in ledgers, and sessions and blocks at engines, when all was done. */
  stillHeld: string[]
  leftovers: LeftoverVerdict
  workerStarts: number
}

const POLL_MS = 250
/** Leases of a worker that died at the very end are found after this at the latest. */
const LEASES_GONE_MS = 90_000
/** Share of the storm in which recordings keep coming. */
const COMING_SHARE = 0.8

/** Lives through one night. @throws when the stack can't start, or the night doesn't end */
export async function chaosNight(options: ChaosNightOptions): Promise<ChaosNight> {
  const folder = await mkdtemp(join(tmpdir(), 'nightscribe-chaos-audio-'))
  try {
    const { recordings: kinds, seed, onNews } = options
    const onMade = (count: number) => onNews(`made ${count} recordings`)
    const recordings = await nightRecordings({ ...kinds, seed, folder, onMade })
    return await new Night(options, recordings).live()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** One night: *storm* while faults strike, then *calm* until every job has ended, then *judged*. */
class Night {
  private readonly options: ChaosNightOptions
  private readonly recordings: readonly NightRecording[]
  private readonly heard: HeardSessions
  private startMs = performance.now()
  private readonly faults: StruckFault[] = []
  private readonly jobs = new Map<string, NightRecording>()
  private readonly open = new Set<string>()
  private readonly fences: ChaosNight['fences'] = new Map()
  private readonly unexpectedEnds: string[] = []
  private readonly bugs: string[] = []

  constructor(options: ChaosNightOptions, recordings: readonly NightRecording[]) {
    this.options = options
    this.recordings = recordings
    this.heard = new HeardSessions(wordPlaces(recordings), () => performance.now())
  }

  async live(): Promise<ChaosNight> {
    await using stack = await this.startStack()
    this.startMs = performance.now()
    const striker = new FaultStriker({
      ...{ stack, heard: this.heard, sinceStartMs: () => this.nowMs },
      lanesOf: (jobId) => this.lanesOf(jobId),
    })
    const watching = new AbortController()
    const watched = this.watch(stack, watching.signal)
    try {
      await Promise.all([this.submitAll(stack), this.storm(striker)])
      const stormMs = this.nowMs
      const deadLetters = await this.calm(stack)
      const stillHeld = await this.untilFree(stack)
      striker.countEngines()
      const workerStarts = stack.workers.reduce((sum, { starts }) => sum + starts, 0)
      await Promise.all(stack.workers.map((worker) => worker[Symbol.asyncDispose]()))
      const { startMs, nowMs: wallMs, faults, heard, fences, unexpectedEnds, bugs } = this
      return {
        ...{ startMs, stormMs, wallMs, faults, heard, fences, unexpectedEnds, bugs },
        ...{ deadLetters, stillHeld, workerStarts, engines: striker.engineCounts },
        ...(await this.judge(stack)),
      }
    } finally {
      watching.abort()
      await watched
    }
  }

  private async startStack(): Promise<ChaosStack> {
    const { blocks, settings, logFolder } = this.options
    const log = {
      onLine: (worker: string, line: Readonly<Record<string, unknown>>) => {
        if (line.msg === 'bug') this.bugs.push(`${worker}: ${withoutFolders(line)}`)
      },
      onUnexpectedEnd: (worker: string, how: string) => {
        this.unexpectedEnds.push(`${worker} at ${Math.round(this.nowMs)}: ${how}`)
      },
    }
    return await startChaosStack({ heard: this.heard, log, blocks, settings, logFolder })
  }

  private async judge({ ports, settings }: ChaosStack) {
    const jobs: JobVerdict[] = []
    for (const [jobId, recording] of this.jobs) {
      jobs.push(await judgeJob(ports, jobId, recording))
    }
    const leftovers = await judgeLeftovers(settings, ports, [...this.jobs.keys()])
    return { jobs, leftovers }
  }

  private rest(durationMs: number): Promise<void> {
    return sleep(durationMs, undefined, { signal: this.options.signal })
  }

  private get nowMs(): number {
    return performance.now() - this.startMs
  }

  private lanesOf(jobId: string): string[] {
    const recording = this.jobs.get(jobId)
    return recording ? recording.words.map((_, lane) => laneName(recording.index, lane)) : []
  }

  private async submitAll(stack: ChaosStack): Promise<void> {
    const { stormMs, pace } = this.options
    const atOnce = Math.ceil(this.recordings.length / 2)
    const later = this.recordings.length - atOnce
    for (const [at, recording] of this.recordings.entries()) {
      const dueMs = ((at - atOnce + 1) / (later + 1)) * stormMs * COMING_SHARE
      await this.rest(Math.max(0, dueMs - this.nowMs))
      const { name, bytes, shape } = recording
      await stack.ports.store.put(`in/${name}`, bytes, { signal: this.options.signal })
      const channels = shape === 'two-lanes' ? ('split' as const) : ('mix' as const)
      const submission = { channels, pace, priority: 0, deadlineAt: null, tenant: 'default' }
      const address = sourceAddress(stack.ports.store, `in/${name}`)
      const jobId = await this.untilTaken(stack, { ...address, ...submission })
      this.jobs.set(jobId, { ...recording, bytes: Buffer.alloc(0) })
      this.open.add(jobId)
    }
  }

  /** Faults until enough of them have struck, or nothing is left to disturb. */
  private async storm(striker: FaultStriker): Promise<void> {
    const { seed, stormMs, faults: wanted, severity, hasSilentStorage, onNews } = this.options
    const weather = { seed, everyMs: stormMs / wanted, severity, hasSilentStorage }
    const underWay = new Set<Promise<void>>()
    let misses = 0
    const count = () => this.faults.length + underWay.size
    // It begins in peace.
    while (this.heard.openLanes.length === 0 && !this.isOver) await this.rest(POLL_MS)
    try {
      for (const { afterMs, fault } of faultStream(weather)) {
        if (this.isOver) break
        await this.rest(afterMs)
        while (count() >= wanted && underWay.size > 0) await Promise.race(underWay)
        if (count() >= wanted) break
        const strike = striker.strike(fault).then((struck) => {
          if (struck.target === null) misses += 1
          else this.faults.push(struck)
          underWay.delete(strike)
          onNews(`${this.faults.length} faults, ${misses} missed, ${this.open.size} jobs open`)
        })
        underWay.add(strike)
      }
    } finally {
      await Promise.all(underWay)
    }
    this.faults.sort((one, other) => one.atMs - other.atMs)
  }

  /** Every recording was submitted, and every job has ended. */
  private get isOver(): boolean {
    return this.jobs.size === this.recordings.length && this.open.size === 0
  }

  /** @returns jobs that were given up; they were started again, as one does in the morning */
  private async calm(stack: ChaosStack): Promise<string[]> {
    const { calmMs, onNews } = this.options
    const dueMs = this.nowMs + calmMs
    const untilEnded = async () => {
      while (this.open.size > 0 && this.nowMs < dueMs) {
        onNews(`the storm is over, ${this.open.size} jobs open`)
        await this.rest(POLL_MS)
      }
    }
    await untilEnded()
    const { started } = await retryFailedJobs(stack.ports, { signal: this.options.signal })
    for (const jobId of started) this.open.add(jobId)
    await untilEnded()
    return started
  }

  /** Follows the cards of all jobs: a Redis that is killed may have forgotten an end. */
  private async watch({ ports }: ChaosStack, until: AbortSignal): Promise<void> {
    while (!until.aborted) {
      for (const jobId of [...this.jobs.keys()]) {
        const record = await ports.jobStore.get(jobId, OPEN).catch(() => null) // Redis is away
        if (!record) continue
        if (record.fence !== null) this.sawFence(jobId, record.fence)
        if (isFinal(record.status)) this.open.delete(jobId)
        else this.open.add(jobId)
      }
      await sleep(POLL_MS)
    }
  }

  private sawFence(jobId: string, fence: number): void {
    const key = String(this.jobs.get(jobId)?.index)
    const seen = this.fences.get(key) ?? []
    if (seen.at(-1)?.fence === fence) return
    this.fences.set(key, [...seen, { fence, atMs: this.nowMs }])
  }

  /** Waits until nobody holds anything any more. @returns what is held all the same */
  private async untilFree(stack: ChaosStack): Promise<string[]> {
    const { ports, engines } = stack
    const store = new RedisLedgerStore(ports.commands)
    const dueMs = this.nowMs + LEASES_GONE_MS
    for (;;) {
      const held: string[] = []
      for (const { url, standin } of engines) {
        const { ledger } = await store.read(url, { signal: this.options.signal })
        const counted = ledger.chains.filter(({ worker }) => this.countsLeasesOf(stack, worker))
        held.push(...counted.map(({ id, worker }) => `lane ${id} of ${worker}`))
        const { connectionsActive, kvBlocksHeld } = standin.stats
        if (connectionsActive > 0)
          held.push(`${connectionsActive} sessions, ${kvBlocksHeld} blocks`)
      }
      if (held.length === 0 || this.nowMs > dueMs) return held
      await this.rest(POLL_MS)
    }
  }

  private countsLeasesOf({ workers }: ChaosStack, worker: string): boolean {
    return this.options.waitsForDead || workers.some(({ pid }) => worker.startsWith(`${pid}-`))
  }

  /** Submits as often as it takes: Redis may be away. @returns the id of the job */
  private async untilTaken({ ports }: ChaosStack, submission: Submission): Promise<string> {
    const { signal } = this.options
    for (;;) {
      try {
        return (await submitRecording(ports, submission, { signal })).jobId
      } catch (error) {
        if (!(error instanceof UpstreamError)) throw error
        await this.rest(POLL_MS)
      }
    }
  }
}

/** A line of a log without the folders of this machine: figures are published. */
function withoutFolders(line: object): string {
  return JSON.stringify(line).replace(/(?:file:\/\/)?(?:\/[^\s/:)"]+)+\/([^\s/:)"]+)/g, '$1')
}
