import type { MediaSource } from '../../media/index.js'
import type { ObjectHead, ObjectStore } from '../../storage/index.js'

/**
 * An object as a recording that is read by ranges, pinned to the content that `head` saw.
 * @param name how people know it, for sentences
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
