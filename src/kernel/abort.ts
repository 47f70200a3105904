/**
 * Runs `work` with a signal that aborts when the parent does or after `timeoutMs`.
 * @throws what `onTimeout` returns when the time is up, the parent's reason when it aborts
 */
export async function withTimeout<T>(
  timeoutMs: number,
  parent: AbortSignal,
  onTimeout: () => Error,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  parent.throwIfAborted()
  const controller = new AbortController()
  const onAbort = () => controller.abort(parent.reason)
  parent.addEventListener('abort', onAbort, { once: true })
  const timer = setTimeout(() => controller.abort(onTimeout()), timeoutMs)
  try {
    return await work(controller.signal)
  } catch (error) {
    // Libraries wrap an abort in errors of their own; the reason is what we meant.
    if (controller.signal.aborted) throw controller.signal.reason
    throw error
  } finally {
    clearTimeout(timer)
    parent.removeEventListener('abort', onAbort)
  }
}

/** Settles as `promise`, or rejects with the signal's reason, whichever is first. */
export function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    promise.catch(() => {}) // its outcome no longer matters to anybody
    return Promise.reject(signal.reason)
  }
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
