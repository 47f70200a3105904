import { createHash } from 'node:crypto'
import type { Clock } from '../../../src/kernel/clock.js'
import { InputError } from '../../../src/kernel/errors.js'
import type {
  ByteRange,
  ObjectHead,
  ObjectRead,
  ObjectStore,
  PutOptions,
  PutOutcome,
  UnfinishedPut,
} from '../../../src/storage/index.js'
import type { SimulatedProcess } from './simulated-process.js'

interface StoredObject {
  head: ObjectHead
  body: Uint8Array
}

/** The storage of a simulated night, which never fails and never forgets. */
export class MemoryObjectStore implements ObjectStore {
  readonly location = 'memory'
  readonly bucket = 'memory'
  private readonly clock: Clock
  private readonly objects = new Map<string, StoredObject>()
  private readonly onStored: (key: string, isNew: boolean) => void

  /** @param parts.onStored called after every put that stored something */
  constructor(parts: { clock: Clock; onStored(key: string, isNew: boolean): void }) {
    this.clock = parts.clock
    this.onStored = (key, isNew) => parts.onStored(key, isNew)
  }

  /** What lies there; null where nothing does. */
  peek(key: string): Uint8Array | null {
    return this.objects.get(key)?.body ?? null
  }

  keys(prefix: string): string[] {
    return [...this.objects.keys()].filter((key) => key.startsWith(prefix)).sort()
  }

  async head(key: string): Promise<ObjectHead> {
    return this.find(key).head
  }

  async get(key: string, options: { range?: ByteRange; etag?: string }): Promise<ObjectRead> {
    const { head, body } = this.find(key)
    const { etag = head.etag, range } = options
    if (etag !== head.etag) throw new InputError('media_changed', `${key} has changed.`)
    const bytes = range ? body.subarray(range.startByte, range.endByte ?? body.length) : body
    async function* whole() {
      yield bytes
    }
    return { head, contentBytes: bytes.length, body: whole() }
  }

  async put(
    key: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    { onlyIfAbsent = false }: Partial<PutOptions>,
  ): Promise<PutOutcome> {
    if (!(body instanceof Uint8Array)) throw new Error('Nothing of unknown length is put here.')
    const isNew = !this.objects.has(key)
    if (onlyIfAbsent && !isNew) return { kind: 'exists' }
    const etag = createHash('sha256').update(body).digest('hex')
    const modifiedMs = this.clock.wallMs()
    const head = { key, bytes: body.length, etag, versionId: null, modifiedMs }
    this.objects.set(key, { head, body })
    this.onStored(key, isNew)
    return { kind: 'stored', head }
  }

  async *list(prefix: string): AsyncIterable<ObjectHead> {
    for (const key of this.keys(prefix)) {
      const found = this.objects.get(key)
      if (found) yield found.head
    }
  }

  async delete(key: string): Promise<void> {
    this.objects.delete(key)
  }

  async *unfinished(): AsyncIterable<UnfinishedPut> {}

  async dropUnfinished(): Promise<void> {}

  async address(key: string): Promise<string> {
    return `memory:${key}`
  }

  private find(key: string): StoredObject {
    const found = this.objects.get(key)
    if (found) return found
    throw new InputError('input_not_found', `${key} is not there.`)
  }
}

/**
 * A process's way to the storage.
 * @param onPut called before a put is on its way
 */
export function storeThrough(
  process: SimulatedProcess,
  store: MemoryObjectStore,
  onPut: (key: string) => void,
): ObjectStore {
  return {
    location: store.location,
    bucket: store.bucket,
    head: (key) => process.through(() => store.head(key)),
    get: (key, options) => process.through(() => store.get(key, options)),
    put: async (key, body, options) => {
      await process.awake()
      onPut(key)
      return await process.through(() => store.put(key, body, options))
    },
    async *list(prefix) {
      await process.awake()
      for await (const head of store.list(prefix)) {
        yield head
        await process.awake()
      }
    },
    delete: (key) => process.through(() => store.delete(key)),
    unfinished: () => store.unfinished(),
    dropUnfinished: () => store.dropUnfinished(),
    address: (key) => store.address(key),
  }
}
