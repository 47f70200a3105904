/** What every call that waits is given: aborting ends the wait. */
export interface CallOptions {
  signal: AbortSignal
}

/** For a call that nothing ends but its own time limit. New each time: many may be waiting. */
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
    // Libraries wrap an abort in errors of their own; the reason is what we meant.
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

/** A signal of others that are let go of with it. */
export interface EitherSignal extends Disposable {
  readonly signal: AbortSignal
}

/**
 * A signal that aborts when the first of several does. In place of `AbortSignal.any` for what comes
 * and goes while those stay: Node 20 keeps a trace of it in each of them for as long as they live,
 * which for the lanes of a long recording is most of what a worker's memory grows by.
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
    promise.catch(() => {}) // its outcome no longer matters to anybody
    return Promise.reject(signal.reason)
  }
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
