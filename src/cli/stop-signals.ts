import { StopRequested } from '../kernel/errors.js'

/**
 * Two verbs: `drain` (take nothing new, finish what runs) and `abort` (stop now, leave it tidy).
 */
export interface StopSignals extends Disposable {
  drain: AbortSignal
  abort: AbortSignal
}

/** The first SIGINT or SIGTERM drains, the second aborts. */
export function stopSignals(): StopSignals {
  const drain = new AbortController()
  const abort = new AbortController()
  const onSignal = () => {
    const reason = new StopRequested('canceled', 'Stopped by a signal.')
    if (!drain.signal.aborted) drain.abort(reason)
    else abort.abort(reason)
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return {
    drain: drain.signal,
    abort: abort.signal,
    [Symbol.dispose]() {
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
    },
  }
}
