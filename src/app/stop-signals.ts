import { StopRequested } from '../kernel/errors.js'

/**
 * Two ways to stop: `drain` (take no new work, save what runs and hand it back) and `abort` (leave
 * at once).
 */
export interface StopSignals extends Disposable {
  drain: AbortSignal
  abort: AbortSignal
}

/**
 * Drains at the first SIGINT or SIGTERM, aborts at the second.
 * @param outputClosed drains when it aborts; null where results don't go to stdout
 */
export function stopSignals(outputClosed: AbortSignal | null): StopSignals {
  const drain = new AbortController()
  const abort = new AbortController()
  const onSignal = () => {
    const reason = new StopRequested('canceled', 'Stopped by a signal.')
    if (!drain.signal.aborted) drain.abort(reason)
    else abort.abort(reason)
  }
  const onClosed = () => drain.abort(outputClosed?.reason)
  outputClosed?.addEventListener('abort', onClosed, { once: true })
  if (outputClosed?.aborted) onClosed()
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return {
    drain: drain.signal,
    abort: abort.signal,
    [Symbol.dispose]() {
      outputClosed?.removeEventListener('abort', onClosed)
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
    },
  }
}
