/** The options of every call that waits: aborting the signal ends the wait. */
export interface CallOptions {
  signal: AbortSignal
}

/**
 * Options for a call that only its own time limit ends. A new signal each time: with one for all,
 * the listeners of many waiting calls would mount up on it.
 */
export function unstopped(): CallOptions {
  return { signal: new AbortController().signal }
}

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
    // Libraries wrap an abort in errors of their own; the caller is to get the signal's reason.
    if (controller.signal.aborted) throw controller.signal.reason
    throw error
  } finally {
    clearTimeout(timer)
    parent.removeEventListener('abort', onAbort)
  }
}

/**
 * A signal that aborts when the parent does or after `timeoutMs`; it keeps no process alive. In
 * place of `AbortSignal.any` with an `AbortSignal.timeout`: Node 20 collects a timeout that nothing
 * else holds, and it never fires.
 */
export function abortedWithin(timeoutMs: number, parent: AbortSignal): AbortSignal {
  const controller = new AbortController()
  const end = (reason: unknown) => {
    clearTimeout(timer)
    controller.abort(reason)
  }
  const onAbort = () => end(parent.reason)
  const timer = setTimeout(() => {
    parent.removeEventListener('abort', onAbort)
    end(new DOMException(`not done within ${timeoutMs} ms`, 'TimeoutError'))
  }, timeoutMs)
  timer.unref()
  if (parent.aborted) onAbort()
  else parent.addEventListener('abort', onAbort, { once: true })
  return controller.signal
}

/** A signal made of others; disposing of it removes its listeners from them. */
export interface EitherSignal extends Disposable {
  readonly signal: AbortSignal
}

/**
 * A signal that aborts when the first of several does. In place of `AbortSignal.any` for
 * short-lived signals made of long-lived ones: Node 20 keeps a trace of each in the long-lived
 * ones, which for the lanes of a long recording was most of the growth of a worker's memory.
 */
export function eitherSignal(...signals: readonly AbortSignal[]): EitherSignal {
  const controller = new AbortController()
  const onAbort = ({ target }: Event) => controller.abort((target as AbortSignal).reason)
  const first = signals.find(({ aborted }) => aborted)
  if (first) controller.abort(first.reason)
  else for (const each of signals) each.addEventListener('abort', onAbort, { once: true })
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const each of signals) each.removeEventListener('abort', onAbort)
    },
  }
}

/** Settles as `promise`, or rejects with the signal's reason, whichever is first. */
export function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    promise.catch(() => {}) // the caller gets the signal's reason instead of its outcome
    return Promise.reject(signal.reason)
  }
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
