import { isStop } from '../../src/kernel/errors.js'
import type { ObjectStore } from '../../src/storage/index.js'
import { codeOf, NO_CODE } from './counted-events.js'
import type { WorkerMetrics } from './worker-metrics.js'

const CHECKPOINT = /^jobs\/[^/]+\/checkpoints\//

/** Counts requests to a store, and what checkpoints take up there. */
export function countedStorage(store: ObjectStore, metrics: WorkerMetrics): ObjectStore {
  const counted = async <T>(action: string, work: Promise<T>): Promise<T> => {
    const note = (code: string) => metrics.storageRequests.at({ action, code }).add()
    try {
      const result = await work
      note(NO_CODE)
      return result
    } catch (error) {
      if (!isStop(error)) note(codeOf(error))
      throw error
    }
  }
  return {
    location: store.location,
    bucket: store.bucket,
    head: (key, options) => counted('head', store.head(key, options)),
    get: (key, options) => counted('get', store.get(key, options)),
    async put(key, body, options) {
      const outcome = await counted('put', store.put(key, body, options))
      if (outcome.kind === 'stored' && CHECKPOINT.test(key)) {
        metrics.checkpointBytes.at({}).add(outcome.head.bytes)
      }
      return outcome
    },
    // Counted as its consumer goes on, a listing may be of a million keys.
    list: (prefix, options) => store.list(prefix, options),
    delete: (key, options) => counted('delete', store.delete(key, options)),
    unfinished: (options) => store.unfinished(options),
    dropUnfinished: (put, options) => counted('delete', store.dropUnfinished(put, options)),
    address: (key, options) => store.address(key, options),
  }
}
