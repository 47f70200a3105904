import { isStop } from '../../src/kernel/errors.js'
import type { ObjectStore } from '../../src/storage/index.js'
import { codeOf, NO_CODE } from './counted-events.js'
import type { WorkerMetrics } from './worker-metrics.js'

const CHECKPOINT = /^jobs\/[^/]+\/checkpoints\//

/** Wraps a store: counts its requests by action and error code, and the bytes of checkpoints. */
export function countedStorage(store: ObjectStore, metrics: WorkerMetrics): ObjectStore {
  const counted = async <T>(action: string, work: Promise<T>): Promise<T> => {
    const count = (code: string) => metrics.storageRequests.at({ action, code }).add()
    try {
      const result = await work
      count(NO_CODE)
      return result
    } catch (error) {
      if (!isStop(error)) count(codeOf(error))
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
    // Not counted: a listing of a million keys is many requests, made while its consumer reads.
    list: (prefix, options) => store.list(prefix, options),
    delete: (key, options) => counted('delete', store.delete(key, options)),
    unfinished: (options) => store.unfinished(options),
    dropUnfinished: (put, options) => counted('delete', store.dropUnfinished(put, options)),
    address: (key, options) => store.address(key, options),
  }
}
