import type { SignsOfLife } from '../src/admission/ledger-store.js'
import { RedisEnginePulses } from '../src/admission/redis-engine-pulses.js'
import { RedisLedgerStore } from '../src/admission/redis-ledger-store.js'
import { RedisSignsOfLife } from '../src/admission/redis-signs-of-life.js'
import { SessionPool } from '../src/admission/session-pool.js'
import { type OpenPorts, openPorts } from '../src/cli/open-ports.js'
import type { Settings } from '../src/config/schema.js'
import { CleanupStack } from '../src/kernel/cleanup-stack.js'
import { type Clock, sleepFor } from '../src/kernel/clock.js'
import { isStop, StopRequested } from '../src/kernel/errors.js'
import type { Random } from '../src/kernel/random.js'
import type { WorkPorts } from '../src/pipeline/index.js'
import { reconcileJobs } from '../src/pipeline/reconcile-jobs.js'
import type { JobWorker } from '../src/queue/bullmq-job-worker.js'
import type { TransportOpener } from '../src/realtime/index.js'
import { sessionRunner } from '../src/realtime/run-session.js'
import { wsTransportOpener } from '../src/realtime/ws-transport.js'
import { startAnalyse } from './analyse.js'
import { EnginePool } from './engine-pool.js'
import type { WorkerEvents } from './events.js'
import { openMedia } from './media-port.js'
import { startTranscribe } from './transcribe.js'

/** How often engines and line are looked after. */
const LOOK_INTERVAL_MS = 1_000
/** Jobs that this worker holds at a time: how many run is decided by admission, the rest waits. */
const JOBS_MAX = 1_000
/** How often storage is looked through for jobs that the queue has lost. */
const RECONCILE_INTERVAL_MS = 10 * 60_000

/** A worker that takes jobs of both stages. Disposing of it closes what it opened. */
export interface RunningWorker extends AsyncDisposable {
  /** Takes nothing new; resolves when what runs has ended. */
  drain(): Promise<void>
  /** Hands back what runs; resolves when that is done. */
  abort(): Promise<void>
}

/** What a worker is made of. */
export interface WorkerOptions {
  clock: Clock
  random: Random
  events: WorkerEvents
  /** Opens the sockets of its sessions; by default to where the settings say, and nothing else. */
  opener?: TransportOpener
  /** Ends the start. */
  signal: AbortSignal
}

/**
 * Builds the adapters and starts taking jobs.
 * @throws ConfigError, UpstreamError: an engine, a store or a Redis that isn't what the settings
 *   say
 */
export async function startWorker(
  settings: Settings,
  options: WorkerOptions,
): Promise<RunningWorker> {
  const { clock, random, events, signal } = options
  const cleanup = new CleanupStack()
  try {
    const onRedisError = (error: Error) => events.redisError(error)
    const ports = cleanup.use(await openPorts(settings, { clock, random, signal, onRedisError }))
    const media = cleanup.use(await openMedia(settings, { clock, random, signal }))
    const engines = await openEngines(settings, ports, options)
    const { pool, sessions } = engines
    const work: WorkPorts = {
      ...{ ...portsOf(ports), media, sessions, random, engines: pool },
      runSession: engines.runSession,
      limits: limitsOf(settings),
    }
    const ended = new AbortController()
    const looking = [
      lookAfter(engines, ports, events, ended.signal),
      pool.watch({ signal: ended.signal }),
      reconcile(work, events, ended.signal),
    ]
    cleanup.defer(() => Promise.all(looking))
    cleanup.defer(() => ended.abort(new StopRequested('internal', 'The worker has ended.')))
    const stages = startStages(settings, work, ports, options)
    cleanup.defer(() => Promise.all(stages.map((stage) => stage.abort())))
    const onCancel = (jobId: string) => void stages.map((stage) => stage.cancel(jobId))
    await ports.board.onCancel(onCancel, { signal: ended.signal })
    events.ready(pool.known)
    return runningWorker(stages, cleanup)
  } catch (error) {
    await cleanup[Symbol.asyncDispose]()
    throw error
  }
}

function runningWorker(stages: readonly JobWorker[], cleanup: CleanupStack): RunningWorker {
  const all = async (verb: 'drain' | 'abort') => {
    await Promise.all(stages.map((stage) => stage[verb]()))
  }
  return {
    drain: () => all('drain'),
    abort: () => all('abort'),
    [Symbol.asyncDispose]: () => cleanup[Symbol.asyncDispose](),
  }
}

/** The parts that carry sessions: engines, their ledgers in Redis, the line before them. */
async function openEngines(settings: Settings, ports: OpenPorts, options: WorkerOptions) {
  const { clock, random, events, signal } = options
  const { redis, waiting } = ports
  const { prefix } = settings.queue
  const store = new RedisLedgerStore({ redis, prefix })
  const pulses = new RedisEnginePulses({ redis, prefix })
  const signs = new RedisSignsOfLife({ redis, prefix })
  const { opener = wsTransportOpener(settings.engine) } = options
  const runSession = sessionRunner({ opener, clock })
  const worker = `${process.pid}-${random.hexId(4)}`
  const parts = { clock, random, runSession, store, pulses, signs, worker, events }
  const pool = await EnginePool.open({ settings, ...parts }, { signal })
  const sessions = new SessionPool({
    ...{ desks: pool.desks, waiting, clock, random, worker },
    agingMs: settings.admission.agingMs,
    isUp: (desk) => pool.isUp(desk),
  })
  return { pool, sessions, signs, worker, runSession }
}

function startStages(
  settings: Settings,
  work: WorkPorts,
  ports: OpenPorts,
  options: WorkerOptions,
): JobWorker[] {
  const { redis } = ports
  const { clock, random, events } = options
  const { prefix, lockDurationMs, stalledIntervalMs, backoffMs, backoffMaxMs } = settings.queue
  const queue = { redis, prefix, lockDurationMs, stalledIntervalMs, backoffMs, backoffMaxMs }
  const stage = { ...queue, clock, random, events }
  return [
    startAnalyse(work, { ...stage, concurrency: settings.media.decodesMax }),
    startTranscribe(work, { ...stage, concurrency: JOBS_MAX }),
  ]
}

function portsOf({ store, sourceStore, queue, board, waiting, clock }: OpenPorts) {
  return { store, sourceStore, queue, board, waiting, clock }
}

function limitsOf({ engine, admission, legs, vad, subtitles, queue }: Settings) {
  const { createdTimeoutMs, stallTimeoutMs, doneTimeoutMs, blankSpeechMaxMs, deltaDelayMs } = engine
  const { overlapMs, skipSilenceMs } = legs
  return {
    session: { createdTimeoutMs, stallTimeoutMs, doneTimeoutMs, blankSpeechMaxMs, deltaDelayMs },
    lagMaxMs: engine.lagMaxMs,
    backoffMs: queue.backoffMs,
    backoffMaxMs: queue.backoffMaxMs,
    cuts: { pauseMinMs: vad.pauseMinMs, overlapMs, skipSilenceMs },
    rotationPolicy: admission.policy,
    pricePerHour: engine.pricePerHour,
    subtitles,
  }
}

/** Signs of life, rounds of the keepers, and calls to jobs that there may be room for. */
async function lookAfter(
  parts: { pool: EnginePool; sessions: SessionPool; signs: SignsOfLife; worker: string },
  ports: OpenPorts,
  events: WorkerEvents,
  signal: AbortSignal,
): Promise<void> {
  const { pool, sessions, signs, worker } = parts
  while (!signal.aborted) {
    try {
      await signs.give(worker, { signal })
      await pool.round({ signal })
      for (const jobId of await sessions.look({ signal })) {
        await ports.queue.promote('transcribe', jobId)
      }
    } catch (error) {
      if (isStop(error)) break
      events.looksFailed(error)
    }
    // Waking by the stop is the other way to end.
    await sleepFor(ports.clock, LOOK_INTERVAL_MS, { signal }).catch(() => {})
  }
  // Its leases were given back; where that failed they are found at once, and not after its sign.
  await signs.end(worker, { signal: new AbortController().signal }).catch(() => {})
}

async function reconcile(
  work: WorkPorts,
  events: WorkerEvents,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const jobIds = await reconcileJobs(work, { signal })
      if (jobIds.length > 0) events.reconciled(jobIds)
    } catch (error) {
      if (isStop(error)) return
      events.reconcileFailed(error)
    }
    // Waking by the stop is the other way to end.
    await sleepFor(work.clock, RECONCILE_INTERVAL_MS, { signal }).catch(() => {})
  }
}
