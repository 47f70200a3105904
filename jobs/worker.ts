import { FixedGate } from '../src/admission/fixed-gate.js'
import { readSettings } from '../src/cli/command-context.js'
import { exitCodeOf, sentenceOf } from '../src/cli/exit-code.js'
import { type OpenPorts, openPorts } from '../src/cli/open-ports.js'
import { projectRoot } from '../src/cli/project-root.js'
import { type StopSignals, stopSignals } from '../src/cli/stop-signals.js'
import type { Settings } from '../src/config/schema.js'
import { CleanupStack } from '../src/kernel/cleanup-stack.js'
import { type Clock, sleepFor, systemClock } from '../src/kernel/clock.js'
import { ConfigError, isStop, StopRequested } from '../src/kernel/errors.js'
import { type Random, systemRandom } from '../src/kernel/random.js'
import type { KnownEngine, WorkPorts } from '../src/pipeline/index.js'
import { reconcileJobs } from '../src/pipeline/reconcile-jobs.js'
import { describeEngine } from '../src/realtime/engine-probe.js'
import { sessionRunner } from '../src/realtime/run-session.js'
import { wsTransportOpener } from '../src/realtime/ws-transport.js'
import { startAnalyse } from './analyse.js'
import { type WorkerEvents, workerEvents } from './events.js'
import { openMedia } from './media-port.js'
import { startTranscribe } from './transcribe.js'

/** How often storage is looked through for jobs that the queue has lost. */
const RECONCILE_INTERVAL_MS = 10 * 60_000

/**
 * The worker process: builds the adapters, takes jobs of both stages until it is told to stop.
 * First signal: finish what runs. Second: hand it back. `--exit-with-stdin`: hand back when stdin
 * closes, so that a worker never outlives the program that started it.
 */
async function work(stop: StopSignals): Promise<void> {
  const { settings } = readSettings(projectRoot(), undefined)
  const events = workerEvents(settings.log.level)
  const clock = systemClock()
  const random = systemRandom()
  const abort = new AbortController()
  stop.abort.addEventListener('abort', () => abort.abort(stop.abort.reason), { once: true })
  if (process.argv.includes('--exit-with-stdin')) endWithStdin(abort)
  await using cleanup = new CleanupStack()
  const engines = await knownEngines(settings, stop.drain)
  const { drain: signal } = stop
  const onRedisError = (error: Error) => events.redisError(error)
  const ports = cleanup.use(await openPorts(settings, { clock, random, signal, onRedisError }))
  const media = cleanup.use(await openMedia(settings, { clock, random, signal }))
  const work: WorkPorts = { ...portsOf(ports), media, ...engineParts(settings, engines, clock) }
  const workers = startStages(settings, work, ports, { random, events })
  await ports.board.onCancel((jobId) => workers.some((worker) => worker.cancel(jobId)), {
    signal: abort.signal,
  })
  const reconciling = reconcile(work, clock, events, stop.drain)
  process.stdout.write(`${JSON.stringify({ event: 'ready', pid: process.pid })}\n`)
  events.ready(engines)
  await Promise.race([aborted(stop.drain), aborted(abort.signal)])
  const ending = Promise.all(workers.map((worker) => worker.drain()))
  abort.signal.addEventListener('abort', () => {
    for (const worker of workers) worker.abort().catch((error) => events.queueError(error))
  })
  if (abort.signal.aborted) await Promise.all(workers.map((worker) => worker.abort()))
  await ending
  await reconciling
  abort.abort(new StopRequested('internal', 'All work has ended.'))
}

function startStages(
  settings: Settings,
  work: WorkPorts,
  ports: OpenPorts,
  with_: { random: Random; events: WorkerEvents },
) {
  const { random, events } = with_
  const { prefix, lockDurationMs, stalledIntervalMs, backoffMs, backoffMaxMs } = settings.queue
  const options = {
    ...{ redis: ports.redis, prefix, lockDurationMs, stalledIntervalMs, backoffMs, backoffMaxMs },
    ...{ random, events },
  }
  const seats = settings.engine.sessionsMax * settings.engines.length
  return [
    startAnalyse(work, { ...options, concurrency: settings.media.decodesMax }),
    startTranscribe(work, { ...options, concurrency: seats }),
  ]
}

function portsOf({ store, sourceStore, queue, board, clock }: OpenPorts) {
  return { store, sourceStore, queue, board, clock }
}

/** @throws ConfigError, UpstreamError: an engine that isn't what the settings say ends the start */
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
  return {
    engines,
    gate: new FixedGate({ engines: engines.length, sessionsMax: engine.sessionsMax }),
    runSession: sessionRunner({ opener: wsTransportOpener(engine), clock }),
    limits: {
      session: {
        createdTimeoutMs: engine.createdTimeoutMs,
        stallTimeoutMs: engine.stallTimeoutMs,
        doneTimeoutMs: engine.doneTimeoutMs,
        blankSpeechMaxMs: engine.blankSpeechMaxMs,
        deltaDelayMs: engine.deltaDelayMs,
      },
      lagMaxMs: engine.lagMaxMs,
      legCeilingMs: legs.ceilingMs,
      subtitles,
    },
  }
}

async function reconcile(
  work: WorkPorts,
  clock: Clock,
  events: WorkerEvents,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const jobIds = await reconcileJobs(work, { signal })
      if (jobIds.length > 0) events.reconciled(jobIds)
      await sleepFor(clock, RECONCILE_INTERVAL_MS, { signal })
    } catch (error) {
      if (isStop(error)) return
      events.reconcileFailed(error)
      await sleepFor(clock, RECONCILE_INTERVAL_MS, { signal }).catch(() => {}) // stopping is fine
    }
  }
}

function endWithStdin(abort: AbortController): void {
  const gone = () => abort.abort(new StopRequested('internal', 'The parent process is gone.'))
  process.stdin.once('end', gone).once('error', gone).resume()
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

{
  using stop = stopSignals()
  try {
    await work(stop)
    process.exitCode = 0
  } catch (error) {
    process.exitCode = exitCodeOf(error)
    process.stderr.write(`${sentenceOf(error, false)}\n`)
  }
  process.stdin.destroy()
}
