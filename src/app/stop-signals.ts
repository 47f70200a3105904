import { StopRequested } from '../kernel/errors.js'

/**
 * Two verbs: `drain` (take nothing new, make safe what runs and hand it back) and `abort` (leave
 * now).
 */
export interface StopSignals extends Disposable {
  drain: AbortSignal
  abort: AbortSignal
}

/**
 * The first SIGINT or SIGTERM drains, the second aborts.
 * @param outputClosed drains as a first signal does; null where results go elsewhere than to stdout
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
