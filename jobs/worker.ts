import { EXIT, exitCodeOf, sentenceOf } from '../src/app/exit-code.js'
import { failedLine } from '../src/app/failed-line.js'
import { openLogger } from '../src/app/logger.js'
import { watchOutputs } from '../src/app/output-pipes.js'
import { readSettings } from '../src/app/read-settings.js'
import { type StopSignals, stopSignals } from '../src/app/stop-signals.js'
import { projectRoot } from '../src/config/project-root.js'
import { withoutCredentials } from '../src/config/redact.js'
import { abortedWithin, orAbort } from '../src/kernel/abort.js'
import { sleepFor, systemClock } from '../src/kernel/clock.js'
import { StopRequested } from '../src/kernel/errors.js'
import { systemRandom } from '../src/kernel/random.js'
import { workerEvents } from './events.js'
import { type RunningWorker, startWorker } from './start-worker.js'

/** Flag set by the program that starts this process: when its end closes stdin, this one drains. */
const WATCH_STDIN = '--exit-with-stdin'

/** Time limit, in ms, for handing back all running jobs and closing the connections. */
const DRAIN_MS_MAX = 9_000
/** Time limit, in ms, for a forced close after that, or after a second signal. */
const LEAVE_MS_MAX = 1_000

/**
 * The worker process. First signal: takes no new job, writes last checkpoints, hands the jobs back.
 * Second signal: ends at once, and the queue finds its jobs within seconds. `--exit-with-stdin`: a
 * closed stdin counts as a first signal, so that a worker never outlives the program that started
 * it.
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
    // A second signal, or 9 s were not enough: this process ends at once. Storage and queue stay
    // consistent wherever it is interrupted.
    if (!hurry.aborted) process.stderr.write(`${withoutCredentials(sentenceOf(error, false))}\n`)
    const { signal } = new AbortController()
    // Errors are ignored: the process ends next.
    const left = worker.abort().catch(() => {})
    await Promise.race([left, sleepFor(systemClock(), LEAVE_MS_MAX, { signal })])
    // After a bug the exit code is that of a bug, so that the supervisor starts the worker again.
    process.exit(worker.broken.aborted ? EXIT.bug : EXIT.stopped)
  }
  // After a bug the state of this process can't be trusted: it ends with the bug's exit code.
  if (worker.broken.aborted) throw worker.broken.reason
}

async function drainAndClose(worker: RunningWorker): Promise<void> {
  await worker.drain()
  await worker[Symbol.asyncDispose]()
}

/** Aborts when the program that started this process is gone; only with `--exit-with-stdin`. */
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
  // A closed stdout or stderr must not end the worker: its results go to storage.
  watchOutputs(process.stdout, process.stderr)
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
