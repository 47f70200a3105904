/**
 * Runs tasks side by side. The first failure aborts the others; when this returns or throws, all of
 * them have ended.
 * @throws the first failure, or the parent's reason
 */
export async function allOrNone<T>(
  parent: AbortSignal,
  tasks: readonly ((signal: AbortSignal) => Promise<T>)[],
): Promise<T[]> {
  parent.throwIfAborted()
  const controller = new AbortController()
  const onAbort = () => controller.abort(parent.reason)
  parent.addEventListener('abort', onAbort, { once: true })
  try {
    const running = tasks.map(async (task) => {
      try {
        // A signal for each task: the listeners of all tasks on one would make Node warn of a leak.
        return await task(AbortSignal.any([controller.signal]))
      } catch (error) {
        if (!controller.signal.aborted) controller.abort(error)
        throw error
      }
    })
    await Promise.allSettled(running)
    controller.signal.throwIfAborted()
    return await Promise.all(running)
  } finally {
    parent.removeEventListener('abort', onAbort)
  }
}
