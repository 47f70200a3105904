import { failedLine } from '../src/cli/child-process.js'
import { readSettings } from '../src/cli/command-context.js'
import { exitCodeOf, sentenceOf } from '../src/cli/exit-code.js'
import { projectRoot } from '../src/cli/project-root.js'
import { type StopSignals, stopSignals } from '../src/cli/stop-signals.js'
import { orAbort } from '../src/kernel/abort.js'
import { systemClock } from '../src/kernel/clock.js'
import { isStop, StopRequested } from '../src/kernel/errors.js'
import { systemRandom } from '../src/kernel/random.js'
import { workerEvents } from './events.js'
import { startWorker } from './start-worker.js'

/** Given by the program that starts us and reads what we say. */
const WATCH_STDIN = '--exit-with-stdin'

/**
 * The worker process. First signal: finish what runs. Second: hand it back. `--exit-with-stdin`:
 * hand back when stdin closes, so that a worker never outlives the program that started it.
 */
async function work(stop: StopSignals): Promise<void> {
  const { settings } = readSettings(projectRoot(), undefined)
  const events = workerEvents(settings.log.level)
  const options = { clock: systemClock(), random: systemRandom(), events, signal: stop.drain }
  await using worker = await startWorker(settings, options)
  const abort = AbortSignal.any([stop.abort, parentGone()])
  process.stdout.write(`${JSON.stringify({ event: 'ready', pid: process.pid })}\n`)
  try {
    await orAbort(aborted(stop.drain), abort)
    await orAbort(worker.drain(), abort)
  } catch (error) {
    if (!isStop(error)) throw error
    await worker.abort()
  }
}

/** Aborts when the program that started us is gone; never, unless we were told to watch. */
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
  using stop = stopSignals()
  try {
    await work(stop)
    process.exitCode = 0
  } catch (error) {
    process.exitCode = exitCodeOf(error)
    if (process.argv.includes(WATCH_STDIN)) process.stdout.write(`${failedLine(error)}\n`)
    process.stderr.write(`${sentenceOf(error, false)}\n`)
  }
  process.stdin.destroy()
}
