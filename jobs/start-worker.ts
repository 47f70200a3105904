import { FixedGate } from '../src/admission/fixed-gate.js'
import { type OpenPorts, openPorts } from '../src/cli/open-ports.js'
import type { Settings } from '../src/config/schema.js'
import { CleanupStack } from '../src/kernel/cleanup-stack.js'
import { type Clock, sleepFor } from '../src/kernel/clock.js'
import { ConfigError, isStop, StopRequested } from '../src/kernel/errors.js'
import type { Random } from '../src/kernel/random.js'
import type { KnownEngine, WorkPorts } from '../src/pipeline/index.js'
import { reconcileJobs } from '../src/pipeline/reconcile-jobs.js'
import type { JobWorker } from '../src/queue/bullmq-job-worker.js'
import { describeEngine } from '../src/realtime/engine-probe.js'
import { sessionRunner } from '../src/realtime/run-session.js'
import { wsTransportOpener } from '../src/realtime/ws-transport.js'
import { startAnalyse } from './analyse.js'
import type { WorkerEvents } from './events.js'
import { openMedia } from './media-port.js'
import { startTranscribe } from './transcribe.js'

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
    const engines = await knownEngines(settings, signal)
    const onRedisError = (error: Error) => events.redisError(error)
    const ports = cleanup.use(await openPorts(settings, { clock, random, signal, onRedisError }))
    const media = cleanup.use(await openMedia(settings, { clock, random, signal }))
    const work: WorkPorts = { ...portsOf(ports), media, ...engineParts(settings, engines, clock) }
    const stages = startStages(settings, work, ports, options)
    cleanup.defer(() => Promise.all(stages.map((stage) => stage.abort())))
    const ended = new AbortController()
    const onCancel = (jobId: string) => void stages.map((stage) => stage.cancel(jobId))
    await ports.board.onCancel(onCancel, { signal: ended.signal })
    const reconciling = reconcile(work, events, ended.signal)
    cleanup.defer(() => ended.abort(new StopRequested('internal', 'The worker has ended.')))
    events.ready(engines)
    return runningWorker(stages, cleanup, reconciling)
  } catch (error) {
    await cleanup[Symbol.asyncDispose]()
    throw error
  }
}

function runningWorker(
  stages: readonly JobWorker[],
  cleanup: CleanupStack,
  reconciling: Promise<void>,
): RunningWorker {
  const all = async (verb: 'drain' | 'abort') => {
    await Promise.all(stages.map((stage) => stage[verb]()))
  }
  return {
    drain: () => all('drain'),
    abort: () => all('abort'),
    async [Symbol.asyncDispose]() {
      await cleanup[Symbol.asyncDispose]()
      await reconciling
    },
  }
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
  const seats = (settings.engine.sessionsMax ?? 4) * settings.engines.length
  return [
    startAnalyse(work, { ...stage, concurrency: settings.media.decodesMax }),
    startTranscribe(work, { ...stage, concurrency: seats }),
  ]
}

function portsOf({ store, sourceStore, queue, board, clock }: OpenPorts) {
  return { store, sourceStore, queue, board, clock }
}

async function knownEngines(settings: Settings, signal: AbortSignal): Promise<KnownEngine[]> {
  if (settings.engines.length === 0) {
    throw new ConfigError(
      'config_invalid',
      'No engine is named: set NIGHTSCRIBE_ENGINES, such as ws://gpu-node:8000/v1/realtime.',
    )
  }
  const wanted = { model: settings.engine.model, timeoutMs: settings.engine.connectTimeoutMs }
  return await Promise.all(
    settings.engines.map(async (url) => {
      const address = { url, key: settings.engineKey }
      return { address, description: await describeEngine(address, wanted, { signal }) }
    }),
  )
}

function engineParts(settings: Settings, engines: KnownEngine[], clock: Clock) {
  const { engine, legs, subtitles } = settings
  const { createdTimeoutMs, stallTimeoutMs, doneTimeoutMs, blankSpeechMaxMs, deltaDelayMs } = engine
  return {
    engines,
    gate: new FixedGate({ engines: engines.length, sessionsMax: engine.sessionsMax ?? 4 }),
    runSession: sessionRunner({ opener: wsTransportOpener(engine), clock }),
    limits: {
      session: { createdTimeoutMs, stallTimeoutMs, doneTimeoutMs, blankSpeechMaxMs, deltaDelayMs },
      lagMaxMs: engine.lagMaxMs,
      legCeilingMs: legs.ceilingMs,
      subtitles,
    },
  }
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
