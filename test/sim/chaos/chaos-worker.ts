import { setMaxListeners } from 'node:events'
import { DelayedError, UnrecoverableError, WaitingError } from 'bullmq'
import { LocalChains } from '../../../src/admission/lane/local-chains.js'
import {
  type Admission,
  type SessionDemand,
  SessionPool,
} from '../../../src/admission/pool/session-pool.js'
import { sleepFor } from '../../../src/kernel/clock.js'
import { isStop, StopRequested, UpstreamError } from '../../../src/kernel/errors.js'
import type { Random } from '../../../src/kernel/random.js'
import { NO_TALLY } from '../../../src/latency/work-tally.js'
import { FRAME_BYTES } from '../../../src/model/pcm.js'
import type { WorkObserver, WorkPorts } from '../../../src/pipeline/index.js'
import { writeEnd } from '../../../src/pipeline/lifecycle/end-job.js'
import { reconcileJobs } from '../../../src/pipeline/lifecycle/reconcile-jobs.js'
import { transcribeRecording } from '../../../src/pipeline/transcribe-recording.js'
import type { Attempt, JobQueue, JobRecord } from '../../../src/queue/index.js'
import { LOCK_LOST } from '../../../src/queue/job-disposition.js'
import type { JobWorkerOptions } from '../../../src/queue/job-worker-options.js'
import { runAttempt } from '../../../src/queue/run-attempt.js'
import { RunningAttempts } from '../../../src/queue/running-attempts.js'
import type { ChaosEngine } from './chaos-engine.js'
import { LOCK_MS, type TakenJob } from './job-line.js'
import { type MemoryObjectStore, storeThrough } from './memory-object-store.js'
import type { SharedStore, StoreView } from './shared-store.js'
import type { SimulatedProcess } from './simulated-process.js'
import { WorkerEngines } from './worker-engines.js'

const LOOK_INTERVAL_MS = 1_000
const TAKE_INTERVAL_MS = 500
const STALLED_INTERVAL_MS = 5_000
const RECONCILE_INTERVAL_MS = 600_000
const JOBS_MAX = 100
/** As many as a night may need: none of these jobs is to blame for anything. */
const ATTEMPTS_MAX = 50
const BACKOFF = { backoffMs: 5_000, backoffMaxMs: 60_000 }
const RETRY_UNTOLD_MS = 5_000
const STOPPED = new StopRequested('internal', 'This worker is stopping.')
const SILENT_FRAME = new Uint8Array(FRAME_BYTES)

/** The world that a worker works in. */
export interface WorkerWorld {
  engines: readonly ChaosEngine[]
  store: SharedStore
  objects: MemoryObjectStore
  random: Random
  agingMs: number
  limits: WorkPorts['limits']
  log(line: string): void
  onViolated(sentence: string): void
  /** A job was let in with these lanes. */
  onAdmitted(process: SimulatedProcess, demand: SessionDemand): void
  /** The queue has just said that the job is this process's. */
  onOwned(process: SimulatedProcess, jobId: string): void
  /** A put begins. */
  onPut(process: SimulatedProcess, key: string): void
}

/** A pool that tells whom it has let in. */
class WatchedPool extends SessionPool {
  onAdmitted: (demand: SessionDemand) => void = () => {}

  override async admit(
    demand: SessionDemand,
    options: { signal: AbortSignal },
  ): Promise<Admission> {
    const admission = await super.admit(demand, options)
    if (admission.kind === 'admitted') this.onAdmitted(demand)
    return admission
  }
}

/**
 * A worker process as `startWorker` builds it: pool, keepers, watches, queue and pipeline are those
 * of production; sockets, Redis, storage and decoder are the night's.
 */
export class ChaosWorker {
  private readonly process: SimulatedProcess
  private readonly world: WorkerWorld
  private readonly view: StoreView
  private readonly engines: WorkerEngines
  private readonly pool: WatchedPool
  private readonly ports: WorkPorts
  private readonly ending = new AbortController()
  private readonly running = new RunningAttempts()
  /** Tokens of the locks that are renewed; BullMQ, too, knows them by their jobs alone. */
  private readonly locks = new Map<string, string>()
  private readonly attempts = new Set<Promise<void>>()
  private isStopping = false

  constructor(process: SimulatedProcess, world: WorkerWorld) {
    this.process = process
    this.world = world
    const { store, random, agingMs, log: onEvent } = world
    const { clock, name: worker } = process
    setMaxListeners(0, this.ending.signal)
    process.dead.addEventListener('abort', () => this.ending.abort(process.dead.reason))
    this.view = store.viewOf(process)
    const { waiting } = this.view
    const chains = new LocalChains()
    const engines = new WorkerEngines(process, { ...world, view: this.view, chains, onEvent })
    this.engines = engines
    this.pool = new WatchedPool({
      ...{ clients: engines.clients, waiting, clock, random, worker, agingMs, chains },
      isUp: (client) => engines.isUp(client),
    })
    this.pool.onAdmitted = (demand) => world.onAdmitted(process, demand)
    this.ports = this.portsOf()
  }

  /** Works until it has drained or died. @throws a bug */
  async run(): Promise<void> {
    const { signal } = this.ending
    const loops = [
      this.every(LOOK_INTERVAL_MS, () => this.look()),
      this.every(TAKE_INTERVAL_MS, () => this.take()),
      this.every(LOCK_MS / 2, () => this.renew()),
      this.every(STALLED_INTERVAL_MS, () => this.view.askLine(async (line) => line.moveStalled())),
      this.every(RECONCILE_INTERVAL_MS, () => reconcileJobs(this.ports, { signal })),
      this.engines.watch({ signal }).catch((error) => this.unlessStopped(error)),
    ]
    await Promise.all(loops)
    await Promise.all(this.attempts)
  }

  /** Hands back what it has, and leaves. */
  async drain(): Promise<void> {
    this.isStopping = true
    this.running.abortAll(STOPPED)
    await Promise.all(this.attempts)
    if (this.process.dead.aborted) return
    this.ending.abort(STOPPED)
    const never = { signal: new AbortController().signal }
    await this.view.heartbeats.deregister(this.process.name, never).catch(() => {}) // it expires
    this.process.die('left')
  }

  private async every(intervalMs: number, act: () => Promise<unknown>): Promise<void> {
    const { signal } = this.ending
    while (!signal.aborted) {
      try {
        await act()
      } catch (error) {
        this.unlessStopped(error)
      }
      await sleepFor(this.process.clock, intervalMs, { signal }).catch(() => {}) // it ends
    }
  }

  private unlessStopped(error: unknown): void {
    if (this.ending.signal.aborted || isStop(error) || error instanceof UpstreamError) return
    const sentence = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.world.onViolated(`a loop of ${this.process.name} failed: ${sentence}`)
  }

  private async look(): Promise<void> {
    const { signal } = this.ending
    await this.view.heartbeats.beat(this.process.name, { signal })
    await this.engines.round({ signal })
    for (const jobId of await this.pool.dueWaiters({ signal })) {
      await this.view.askLine(async (line) => line.promote(jobId))
    }
  }

  private async renew(): Promise<void> {
    await Promise.all(
      [...this.locks].map(async ([jobId, token]) => {
        const isOurs = await this.view.askLine(async (line) => line.extend(jobId, token))
        if (!isOurs) this.running.abort(jobId, LOCK_LOST)
      }),
    )
  }

  private async take(): Promise<void> {
    const ask = <T>(call: () => Promise<T>) => this.view.askLine(call)
    while (!this.isStopping && this.attempts.size < JOBS_MAX) {
      const taken = await this.view.askLine(async (line) => line.take(ask))
      if (taken === null) return
      const attempt = this.attempt(taken).finally(() => this.attempts.delete(attempt))
      this.attempts.add(attempt)
      // The others shall have some, too.
      if (this.world.random.uniform() < 0.3) return
    }
  }

  private async attempt(taken: TakenJob): Promise<void> {
    const { jobId, token, job } = taken
    const { dead } = this.process
    this.locks.set(jobId, token)
    try {
      const isRun = await this.running.run(jobId, async (controller) => {
        const onDead = () => controller.abort(dead.reason)
        if (dead.aborted) onDead()
        dead.addEventListener('abort', onDead, { once: true })
        try {
          await runAttempt(this.jobOptions(), { job, token, signal: controller.signal })
        } finally {
          dead.removeEventListener('abort', onDead)
        }
      })
      if (isRun) await this.view.askLine(async (line) => line.finish(jobId, token))
      else await job.moveToWait(token)
    } catch (error) {
      await this.afterwards(taken, error).catch(() => {}) // its lock expires
    } finally {
      this.locks.delete(jobId)
    }
  }

  /** What BullMQ does with what a processor has thrown. */
  private async afterwards({ jobId, token, job }: TakenJob, error: unknown): Promise<void> {
    if (error instanceof WaitingError || error instanceof DelayedError) return
    if (error instanceof UnrecoverableError) {
      await this.view.askLine(async (line) => line.finish(jobId, token))
      return
    }
    await job.moveToDelayed(this.process.clock.wallMs() + RETRY_UNTOLD_MS, token)
  }

  private jobOptions(): JobWorkerOptions {
    const { ports, world, process } = this
    const { jobStore, clock, random } = ports
    const options: Partial<JobWorkerOptions> = {
      ...{ stage: 'transcribe', lockDurationMs: LOCK_MS, attemptsMax: ATTEMPTS_MAX, ...BACKOFF },
      ...{ clock, random },
      jobStore,
      run: (attempt, record) => this.transcribe(attempt, record),
      async writeEnd(jobId, end, record, options) {
        const error = 'error' in end ? ` ${end.error.code}: ${end.error.detail}` : ''
        world.log(`${process.name} ${jobId} ${end.kind}${error}`)
        await writeEnd(ports, jobId, end, record, options)
      },
      observer: {
        bug(jobId, thrown) {
          const sentence = thrown instanceof Error ? (thrown.stack ?? '') : String(thrown)
          world.onViolated(`a bug with ${jobId} on ${process.name}: ${sentence}`)
        },
        trouble() {},
      },
    }
    // The rest is for BullMQ itself, which `JobLine` stands for.
    return options as JobWorkerOptions
  }

  private async transcribe(attempt: Attempt, record: JobRecord | null): Promise<void> {
    if (record?.status === 'failed' || record?.status === 'canceled') return
    await transcribeRecording(this.ports, {
      ...attempt,
      assertOwned: async () => {
        await attempt.assertOwned()
        this.world.onOwned(this.process, attempt.jobId)
      },
    })
  }

  private portsOf(): WorkPorts {
    const { process, world, view, engines, pool } = this
    const { random, objects, limits, log } = world
    const { name, clock } = process
    const store = storeThrough(process, objects, (key) => world.onPut(process, key))
    const nobody = async () => {
      throw new Error('Nobody asks for this in a simulated night.')
    }
    const notes: WorkObserver = {
      ...NO_TALLY,
      checkpointed: (jobId, { number, audioMs }) => {
        log(`${name} ${jobId} checkpoint ${number} at ${audioMs} ms`)
      },
      checkpointFailed: (jobId) => log(`${name} ${jobId} checkpoint failed`),
      resumed: (jobId, fromMs) => log(`${name} ${jobId} goes on at ${fromMs} ms`),
      audited: () => {},
    }
    return {
      ...{ store, clock, random, limits, observer: notes, engines },
      ...{ sessions: pool, waiting: view.waiting, jobStore: view.jobStore, jobView: view.jobStore },
      queue: queueOf(view),
      runSession: engines.runSession,
      sourceStore: nobody,
      media: {
        analyse: nobody,
        openLeg: async (flac, _range, { signal }) => {
          // As a decoder finds out: where the audio is gone, nothing is read.
          await flac.read({ startByte: 0, endByte: 1 }, { signal })
          return {
            ...{ samples: 0, frameCount: 0 },
            async *frames() {},
            readFrame: async () => SILENT_FRAME,
            [Symbol.asyncDispose]: async () => {},
          }
        },
      },
    }
  }
}

function queueOf(view: StoreView): JobQueue {
  const idle = { waiting: 0, active: 0, delayed: 0 }
  return {
    // All is analysed already.
    enqueue: (_stage, jobId) => view.askLine(async (line) => line.enqueue(jobId)),
    promote: (_stage, jobId) => view.askLine(async (line) => line.promote(jobId)),
    remove: async () => false,
    has: (jobId) => view.askLine(async (line) => line.has(jobId)),
    depth: async () => ({ analyse: idle, transcribe: idle }),
    close: async () => {},
  }
}
