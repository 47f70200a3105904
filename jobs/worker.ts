import { EXIT, exitCodeOf, sentenceOf } from '../src/app/exit-code.js'
import { failedLine } from '../src/app/failed-line.js'
import { openLogger } from '../src/app/logger.js'
import { watchOutputs } from '../src/app/output-pipes.js'
import { projectRoot } from '../src/app/project-root.js'
import { readSettings } from '../src/app/read-settings.js'
import { type StopSignals, stopSignals } from '../src/app/stop-signals.js'
import { withoutCredentials } from '../src/config/redact.js'
import { abortedWithin, orAbort } from '../src/kernel/abort.js'
import { sleepFor, systemClock } from '../src/kernel/clock.js'
import { StopRequested } from '../src/kernel/errors.js'
import { systemRandom } from '../src/kernel/random.js'
import { workerEvents } from './events.js'
import { type RunningWorker, startWorker } from './start-worker.js'

/** Flag of the program that starts this process: its end closes our stdin, and ends us too. */
const WATCH_STDIN = '--exit-with-stdin'

/** Time in which everything that runs must be handed back, and the connections be closed. */
const DRAIN_MS_MAX = 9_000
/** And, when that isn't enough or a second signal came, time for the shortest goodbye, in ms. */
const LEAVE_MS_MAX = 1_000

/**
 * The worker process. First signal: takes nothing new, makes safe what is done, hands the jobs
 * back.
 * Second: leaves at once; the queue finds what ran within seconds. `--exit-with-stdin`: as a first
 * signal when stdin closes, so that a worker never outlives the program that started it.
 */
async function work(stop: StopSignals): Promise<void> {
  const { settings } = readSettings(projectRoot(), undefined)
  const events = workerEvents(openLogger(settings))
  const options = { clock: systemClock(), random: systemRandom(), events, signal: stop.drain }
  const worker = await startWorker(settings, options)
  process.stdout.write(`${JSON.stringify({ event: 'ready', pid: process.pid })}\n`)
  await aborted(AbortSignal.any([stop.drain, parentGone(), worker.broken]))
  const hurry = abortedWithin(DRAIN_MS_MAX, stop.abort)
  try {
    await orAbort(drainAndClose(worker), hurry)
  } catch (error) {
    // Told twice, or too slow. Storage and queue are consistent whatever is cut off: leave.
    if (!hurry.aborted) process.stderr.write(`${withoutCredentials(sentenceOf(error, false))}\n`)
    const { signal } = new AbortController()
    const left = worker.abort().catch(() => {}) // the process is ending
    await Promise.race([left, sleepFor(systemClock(), LEAVE_MS_MAX, { signal })])
    // Whoever keeps workers starts one again that has met a bug, however it has ended.
    process.exit(worker.broken.aborted ? EXIT.bug : EXIT.stopped)
  }
  // A bug: what this process remembers is not to be trusted.
  if (worker.broken.aborted) throw worker.broken.reason
}

async function drainAndClose(worker: RunningWorker): Promise<void> {
  await worker.drain()
  await worker[Symbol.asyncDispose]()
}

/** Aborts when the program that started us is gone; only with `--exit-with-stdin`. */
function parentGone(): AbortSignal {
  const controller = new AbortController()
  if (process.argv.includes(WATCH_STDIN)) {
    const gone = () => controller.abort(new StopRequested('internal', 'The parent is gone.'))
    process.stdin.once('end', gone).once('error', gone).resume()
  }
  return controller.signal
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

{
  watchOutputs(process.stdout, process.stderr) // results go to storage, whoever reads what we say
  using stop = stopSignals(null)
  try {
    await work(stop)
    process.exitCode = 0
  } catch (error) {
    process.exitCode = exitCodeOf(error)
    if (process.argv.includes(WATCH_STDIN)) process.stdout.write(`${failedLine(error)}\n`)
    process.stderr.write(`${withoutCredentials(sentenceOf(error, false))}\n`)
  }
  process.stdin.destroy()
}
