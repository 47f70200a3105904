import { setMaxListeners } from 'node:events'
import type { WorkerHeartbeats } from '../src/admission/index.js'
import { LocalChains } from '../src/admission/lane/local-chains.js'
import { SessionPool } from '../src/admission/pool/session-pool.js'
import { RedisEngineActivity } from '../src/admission/store/redis-engine-activity.js'
import { RedisLedgerStore } from '../src/admission/store/redis-ledger-store.js'
import { RedisWorkerHeartbeats } from '../src/admission/store/redis-worker-heartbeats.js'
import { type OpenPorts, openPorts } from '../src/app/open-ports.js'
import { projectRoot } from '../src/config/project-root.js'
import type { Settings } from '../src/config/schema.js'
import { EngineRegistry } from '../src/engines/engine-registry.js'
import { abortedWithin } from '../src/kernel/abort.js'
import { CleanupStack } from '../src/kernel/cleanup-stack.js'
import { type Clock, pauseFor } from '../src/kernel/clock.js'
import { isStop, StopRequested } from '../src/kernel/errors.js'
import type { Random } from '../src/kernel/random.js'
import type { WorkPorts } from '../src/pipeline/index.js'
import type { JobWorker } from '../src/queue/bullmq-job-worker.js'
import type { TransportOpener } from '../src/realtime/index.js'
import { sessionRunner } from '../src/realtime/run-session.js'
import { wsTransportOpener } from '../src/realtime/ws-transport.js'
import { startAnalyse } from './analyse.js'
import { watchCancels } from './cancel-watch.js'
import type { WorkerEvents } from './events.js'
import { runHousekeeping } from './housekeeper.js'
import { openMedia } from './media-port.js'
import { countedEvents } from './metrics/counted-events.js'
import { countedSessions } from './metrics/counted-sessions.js'
import { countedStorage } from './metrics/counted-storage.js'
import { measuredState } from './metrics/measured-state.js'
import { type MetricsServer, serveMetrics } from './metrics/metrics-server.js'
import { type WorkerMetrics, workerMetrics } from './metrics/worker-metrics.js'
import { runReconciler } from './reconciler.js'
import { startTranscribe } from './transcribe.js'

/** Interval, in ms, of heartbeats, engine ticks and the check of jobs that wait for room. */
const TICK_INTERVAL_MS = 1_000
/** Time limit for deregistering, in ms; if it fails, the end shows when the heartbeat expires. */
const DEREGISTER_MS_MAX = 1_000
/** Most jobs of `transcribe` that this worker holds; admission decides how many of them run. */
const JOBS_MAX = 1_000

/** A worker that takes jobs of both stages. Disposing it closes all connections and tools. */
export interface RunningWorker extends AsyncDisposable {
  /** See `JobWorker`. */
  drain(): Promise<void>
  abort(): Promise<void>
  /**
   * Aborts, with the error, once an attempt has met a bug. Its job has failed, and the state of
   * this process can't be trusted any more: it must be drained and started again.
   */
  readonly broken: AbortSignal
  /** Port at which `/metrics` is served; null where it isn't. */
  readonly metricsPort: number | null
}

/** Clock, chance, events and the stop signal of a worker. */
export interface WorkerOptions {
  clock: Clock
  random: Random
  events: WorkerEvents
  /** Opens the sockets of sessions; by default a WebSocket by the settings. */
  opener?: TransportOpener
  /** Aborts the start. */
  signal: AbortSignal
}

/**
 * Builds the adapters and starts taking jobs.
 * @throws ConfigError or UpstreamError where an engine, storage or Redis is missing, or not as the
 *   settings say
 */
export async function startWorker(
  settings: Settings,
  options: WorkerOptions,
): Promise<RunningWorker> {
  const { clock, random, signal } = options
  const metrics = workerMetrics()
  const events = countedEvents(options.events, metrics, clock)
  const cleanup = new CleanupStack()
  try {
    const ports = cleanup.use(await openCounted(settings, { ...options, events }, metrics))
    const media = cleanup.use(await openMedia(settings, { clock, random, signal }))
    const engines = await openEngines(settings, ports, { ...options, events })
    const { pool, sessions } = engines
    const work: WorkPorts = {
      ...{ ...portsOf(ports), media, sessions, random, engines: pool },
      runSession: countedSessions(engines.runSession, metrics, clock),
      observer: events,
      limits: limitsOf(settings),
    }
    const ended = new AbortController()
    // No limit of listeners: every watched engine adds one, and Node would report a leak.
    setMaxListeners(0, ended.signal)
    const tasks = [
      watchAdmission(engines, ports, events, ended.signal),
      pool.watch({ signal: ended.signal }),
      runReconciler(work, { commands: ports.commands, events, signal: ended.signal }),
      runHousekeeping(settings, ports, events, { signal: ended.signal }),
    ]
    cleanup.defer(() => Promise.all(tasks))
    cleanup.defer(() => ended.abort(new StopRequested('internal', 'The worker has ended.')))
    const broken = new AbortController()
    const onBug = (thrown: unknown) => broken.abort(thrown)
    const stages = startStages(settings, work, ports, { ...options, events, onBug })
    cleanup.defer(() => Promise.all(stages.map((stage) => stage.drain())))
    await watchCancels(stages, ports, { signal: ended.signal })
    const serving = { metrics, ports, pool, sessions }
    const server = await startMetrics(settings, serving, { ...options, events })
    if (server) cleanup.use(server)
    events.ready(pool.known)
    return runningWorker(stages, { broken: broken.signal, server, cleanup })
  } catch (error) {
    await cleanup[Symbol.asyncDispose]()
    throw error
  }
}

function runningWorker(
  stages: readonly JobWorker[],
  parts: { broken: AbortSignal; server: MetricsServer | null; cleanup: CleanupStack },
): RunningWorker {
  const { broken, server, cleanup } = parts
  const all = async (verb: 'drain' | 'abort') => {
    await Promise.all(stages.map((stage) => stage[verb]()))
  }
  return {
    drain: () => all('drain'),
    abort: () => all('abort'),
    broken,
    metricsPort: server?.port ?? null,
    [Symbol.asyncDispose]: () => cleanup[Symbol.asyncDispose](),
  }
}

/** Opens storage and queue, and counts the requests to storage. */
async function openCounted(
  settings: Settings,
  { clock, random, events, signal }: WorkerOptions,
  metrics: WorkerMetrics,
): Promise<OpenPorts> {
  const onRedisError = (error: Error) => events.redisError(error)
  const onStorageRetry = () => metrics.storageRetries.at({}).add()
  const told = { clock, random, signal, onRedisError, onStorageRetry }
  const ports = await openPorts(settings, told)
  return { ...ports, store: countedStorage(ports.store, metrics) }
}

/** Serves metrics. @returns null where the settings give no port for them */
async function startMetrics(
  { metrics: { host, port } }: Settings,
  parts: { metrics: WorkerMetrics; ports: OpenPorts; pool: EngineRegistry; sessions: SessionPool },
  { clock, events, signal }: WorkerOptions,
): Promise<MetricsServer | null> {
  if (port === null) return null
  const { metrics, ports, pool, sessions } = parts
  const update = measuredState(metrics, {
    readings: () => pool.readings(),
    line: () => sessions.line,
    queue: ports.queue,
    clock,
  })
  const { registry } = metrics
  const server = await serveMetrics({ registry, update, host, port }, { signal })
  events.metricsServed({ host, port: server.port })
  return server
}

/** Opens the engines, their ledgers in Redis, and the pool that admits sessions. */
async function openEngines(settings: Settings, ports: OpenPorts, options: WorkerOptions) {
  const { clock, random, events, signal } = options
  const { commands, waiting } = ports
  const store = new RedisLedgerStore(commands)
  const activities = new RedisEngineActivity(commands)
  const heartbeats = new RedisWorkerHeartbeats(commands)
  const { opener = wsTransportOpener(settings.engine) } = options
  const runSession = sessionRunner({ opener, clock })
  const worker = `${process.pid}-${random.hexId(4)}`
  const chains = new LocalChains()
  const parts = { clock, random, runSession, store, activities, heartbeats, worker, chains, events }
  const pool = await EngineRegistry.open({ settings, root: projectRoot(), ...parts }, { signal })
  const sessions = new SessionPool({
    ...{ clients: pool.clients, waiting, clock, random, worker, chains },
    agingMs: settings.admission.agingMs,
    isUp: (client) => pool.isUp(client),
    isWhole: () => pool.isWhole,
  })
  return { pool, sessions, heartbeats, worker, runSession }
}

function startStages(
  settings: Settings,
  work: WorkPorts,
  ports: OpenPorts,
  options: WorkerOptions & { onBug(thrown: unknown): void },
): JobWorker[] {
  const { redis } = ports
  const { clock, random, events, onBug } = options
  const { recordsKeptMs: _, ...queue } = settings.queue
  const stage = { ...queue, redis, clock, random, events, onBug }
  return [
    startAnalyse(work, { ...stage, concurrency: settings.media.decodesMax }),
    startTranscribe(work, { ...stage, concurrency: JOBS_MAX }),
  ]
}

function portsOf({ store, sourceStore, queue, jobStore, waiting, clock }: OpenPorts) {
  return { store, sourceStore, queue, jobStore, jobView: jobStore, waiting, clock }
}

function limitsOf(settings: Settings) {
  const { engine, admission, legs, vad, coverage, subtitles, queue } = settings
  const { createdTimeoutMs, stallTimeoutMs, doneTimeoutMs, blankSpeechMaxMs, deltaDelayMs } = engine
  const { overlapMs, skipSilenceMs } = legs
  return {
    session: { createdTimeoutMs, stallTimeoutMs, doneTimeoutMs, blankSpeechMaxMs, deltaDelayMs },
    lagMaxMs: engine.lagMaxMs,
    backoffMs: queue.backoffMs,
    backoffMaxMs: queue.backoffMaxMs,
    cuts: { pauseMinMs: vad.pauseMinMs, overlapMs, skipSilenceMs },
    coverage,
    rotationPolicy: admission.policy,
    pricePerHour: engine.pricePerHour,
    subtitles,
  }
}

/**
 * Every second until the signal aborts: writes this worker's heartbeat, lets the engine controllers
 * tick, and promotes waiting jobs that there may be room for. Deregisters the worker at the end.
 */
async function watchAdmission(
  parts: {
    pool: EngineRegistry
    sessions: SessionPool
    heartbeats: WorkerHeartbeats
    worker: string
  },
  ports: OpenPorts,
  events: WorkerEvents,
  signal: AbortSignal,
): Promise<void> {
  const { pool, sessions, heartbeats, worker } = parts
  while (!signal.aborted) {
    try {
      await heartbeats.beat(worker, { signal })
      await pool.tick({ signal })
      for (const jobId of await sessions.dueWaiters({ signal })) {
        await ports.queue.promote('transcribe', jobId, { signal })
      }
    } catch (error) {
      if (isStop(error)) break
      events.looksFailed(error)
    }
    await pauseFor(ports.clock, TICK_INTERVAL_MS, { signal })
  }
  const inTime = abortedWithin(DEREGISTER_MS_MAX, new AbortController().signal)
  // The leases were returned before. Where that failed, other workers find them at once now, and
  // not only when the heartbeat expires.
  await heartbeats.deregister(worker, { signal: inTime }).catch(() => {})
}
