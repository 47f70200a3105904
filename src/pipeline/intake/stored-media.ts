import type { MediaSource } from '../../media/index.js'
import type { ObjectHead, ObjectStore } from '../../storage/index.js'

/**
 * A stored object as a recording that is read by ranges. Every read is pinned to the etag of
 * `head`: one after the object was replaced fails.
 * @param name for error sentences
 */
export function storedMedia(store: ObjectStore, head: ObjectHead, name: string): MediaSource {
  return {
    name,
    bytes: head.bytes,
    async read(range, { signal }) {
      const read = await store.get(head.key, { range, etag: head.etag, signal })
      return read.body
    },
  }
}
