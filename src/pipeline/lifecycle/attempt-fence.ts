import type { JobStore } from '../../queue/index.js'
import type { ObjectStore } from '../../storage/index.js'
import { fenceOfKey, jobPrefix } from '../../storage/keys.js'

/**
 * A number above that of every earlier attempt at this job: 1 + the highest of Redis' counter and
 * the fences of keys in storage. Both are read, so that a loss of either can't repeat a number.
 */
export async function nextFence(
  ports: { store: ObjectStore; jobStore: JobStore },
  jobId: string,
  options: { signal: AbortSignal },
): Promise<number> {
  let highest = 0
  for await (const { key } of ports.store.list(jobPrefix(jobId), options)) {
    highest = Math.max(highest, fenceOfKey(key) ?? 0)
  }
  return await ports.jobStore.nextFence(jobId, highest, options)
}
