import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StopRequested } from '../../src/kernel/errors.js'
import type { ObjectHead, ObjectStore } from '../../src/storage/index.js'

/** A fresh, empty store, and how to read one of its addresses. */
export interface StoreUnderTest extends AsyncDisposable {
  store: ObjectStore
  readAddress(url: string): Promise<Uint8Array>
}

const signal = new AbortController().signal

/** Bytes of something being read. */
export async function collect(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Keys below a prefix, in the order of the listing. */
export async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list(prefix, { signal })) keys.push(key)
  return keys
}

/** A stream of so many bytes in chunks of odd sizes, which may fail at its end. */
export async function* streamOf(bytes: Uint8Array, failure?: Error): AsyncGenerator<Uint8Array> {
  for (let offset = 0, size = 1; offset < bytes.length; offset += size, size = 60_001) {
    yield bytes.subarray(offset, offset + size)
  }
  if (failure) throw failure
}

/** What every object store does alike. */
export function objectStoreContract(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`${name}: the object store contract`, () => {
    let opened: StoreUnderTest
    let store: ObjectStore
    beforeAll(async () => {
      opened = await open()
      store = opened.store
    })
    afterAll(async () => await opened?.[Symbol.asyncDispose]())
    const current = () => ({ store, readAddress: opened.readAddress })

    describe('put, head and get', () => contentTests(current))
    describe('ranges and pinned content', () => rangeTests(current))
    describe('creating only if absent', () => conditionalTests(current))
    describe('keys and listings', () => listingTests(current))
    describe('failures and aborts', () => failureTests(current))
  })
}

type Current = () => { store: ObjectStore; readAddress(url: string): Promise<Uint8Array> }

async function stored(
  store: ObjectStore,
  key: string,
  body: Uint8Array | AsyncIterable<Uint8Array>,
): Promise<ObjectHead> {
  const outcome = await store.put(key, body, { signal })
  if (outcome.kind !== 'stored') throw new Error(`${key} exists already`)
  return outcome.head
}

function contentTests(current: Current): void {
  it('gives back the bytes it was given, and tells their number and etag', async () => {
    const { store } = current()
    const body = randomBytes(100_000)
    const put = await stored(store, 'content/bytes.bin', body)
    const head = await store.head('content/bytes.bin', { signal })
    const read = await store.get('content/bytes.bin', { signal })
    expect(await collect(read.body)).toEqual(body)
    expect(read.contentBytes).toBe(body.length)
    expect(read.head).toEqual(head)
    const { bytes, etag, key } = head
    expect({ bytes, etag, key }).toEqual({ key: put.key, bytes: 100_000, etag: put.etag })
    expect(etag).toMatch(/^[^"]+$/)
    expect(head.modifiedMs).toBeGreaterThan(Date.UTC(2024))
  })

  it('stores nothing as an object of 0 bytes', async () => {
    const { store } = current()
    await stored(store, 'content/empty', new Uint8Array())
    await stored(store, 'content/empty-stream', streamOf(new Uint8Array()))
    for (const key of ['content/empty', 'content/empty-stream']) {
      const read = await store.get(key, { signal })
      expect([read.contentBytes, (await collect(read.body)).length]).toEqual([0, 0])
    }
  })

  it('stores a stream of unknown length, longer than one part', async () => {
    const { store } = current()
    const body = randomBytes(20_000_003)
    const head = await stored(store, 'content/stream.bin', streamOf(body))
    const read = await store.get('content/stream.bin', { signal })
    const hash = createHash('sha256')
    for await (const chunk of read.body) hash.update(chunk)
    expect(hash.digest('hex')).toBe(createHash('sha256').update(body).digest('hex'))
    expect([head.bytes, read.head.bytes, read.head.etag]).toEqual([
      body.length,
      body.length,
      head.etag,
    ])
  })

  it('replaces an object, and its etag changes with the content', async () => {
    const { store } = current()
    const first = await stored(store, 'content/replaced', Buffer.from('first'))
    const second = await stored(store, 'content/replaced', Buffer.from('other'))
    expect(second.etag).not.toBe(first.etag)
    const read = await store.get('content/replaced', { signal })
    expect((await collect(read.body)).toString()).toBe('other')
  })

  it('gives an address that a program without our credentials can read', async () => {
    const { store, readAddress } = current()
    const body = Buffer.from('spoken words')
    await stored(store, 'content/with blank & ümläut.wav', body)
    const key = 'content/with blank & ümläut.wav'
    const url = await store.address(key, { signal, validMs: 60_000 })
    expect(Buffer.from(await readAddress(url))).toEqual(body)
  })

  it('lets bodies go that nobody reads to the end', async () => {
    const { store } = current()
    await stored(store, 'content/left.bin', randomBytes(3_000_000))
    for (let i = 0; i < 300; i += 1) {
      const { body } = await store.get('content/left.bin', { signal })
      if (i % 2 === 0) await body[Symbol.asyncIterator]().return?.()
      else for await (const _ of body) break
    }
    const read = await store.get('content/left.bin', { signal })
    expect((await collect(read.body)).length).toBe(3_000_000)
  })
}

function rangeTests(current: Current): void {
  const body = randomBytes(70_000)

  it.each([
    [{ startByte: 0 }, 0, 70_000],
    [{ startByte: 0, endByte: 1 }, 0, 1],
    [{ startByte: 69_999 }, 69_999, 70_000],
    [{ startByte: 10, endByte: 65_546 }, 10, 65_546],
    [{ startByte: 69_000, endByte: 99_000 }, 69_000, 70_000],
  ])('reads %j', async (range, startByte, endByte) => {
    const { store } = current()
    await stored(store, 'ranges/bytes', body)
    const read = await store.get('ranges/bytes', { signal, range })
    expect(await collect(read.body)).toEqual(body.subarray(startByte, endByte))
    expect([read.contentBytes, read.head.bytes]).toEqual([endByte - startByte, 70_000])
  })

  it('refuses a range behind the end, naming the key', async () => {
    const { store } = current()
    await stored(store, 'ranges/short', Buffer.from('short'))
    const read = store.get('ranges/short', { signal, range: { startByte: 5 } })
    await expect(read).rejects.toMatchObject({
      name: 'InputError',
      code: 'input_unsupported',
      message: expect.stringContaining('ranges/short'),
    })
  })

  it('reads a range of pinned content, and not another content', async () => {
    const { store } = current()
    const { etag } = await stored(store, 'ranges/pinned', Buffer.from('0123456789'))
    const range = { startByte: 2, endByte: 5 }
    const read = await store.get('ranges/pinned', { signal, range, etag })
    expect((await collect(read.body)).toString()).toBe('234')
    await stored(store, 'ranges/pinned', Buffer.from('9876543210'))
    await expect(store.get('ranges/pinned', { signal, range, etag })).rejects.toMatchObject({
      name: 'InputError',
      code: 'media_changed',
      message: expect.stringContaining('ranges/pinned'),
    })
  })
}

function conditionalTests(current: Current): void {
  it('lets one of ten writers at once win, and keeps what that one wrote', async () => {
    const { store } = current()
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        store.put('once/manifest.json', Buffer.from(`writer ${i}`), { signal, onlyIfAbsent: true }),
      ),
    )
    const winners = outcomes.flatMap(({ kind }, i) => (kind === 'stored' ? [i] : []))
    expect(winners).toHaveLength(1)
    const read = await store.get('once/manifest.json', { signal })
    expect((await collect(read.body)).toString()).toBe(`writer ${winners[0]}`)
  })

  it('leaves a standing object as it is, also for short and long streams', async () => {
    const { store } = current()
    await stored(store, 'once/standing', Buffer.from('standing'))
    for (const bytes of [3, 9_000_000]) {
      const body = streamOf(randomBytes(bytes))
      const outcome = await store.put('once/standing', body, { signal, onlyIfAbsent: true })
      expect(outcome).toEqual({ kind: 'exists' })
    }
    const read = await store.get('once/standing', { signal })
    expect((await collect(read.body)).toString()).toBe('standing')
  })

  it('creates what is absent from a stream', async () => {
    const { store } = current()
    const body = streamOf(randomBytes(9_000_000))
    const outcome = await store.put('once/created', body, { signal, onlyIfAbsent: true })
    expect(outcome).toMatchObject({ kind: 'stored', head: { bytes: 9_000_000 } })
  })
}

const ODD_KEYS = [
  'odd/..',
  'odd/../../../etc/passwd',
  'odd/./x',
  'odd/.hidden',
  'odd/a%20b.wav',
  'odd/a b+c&d=e?f#g.wav',
  'odd/100%',
  'odd/%~x',
  'odd/Besprechung Müller 🎙.wav',
  'odd/line\nbreak',
  'odd/<xml>&amp;"\'',
  `odd/${'x'.repeat(1000)}`,
  `odd/${'🎙'.repeat(200)}/${'y'.repeat(200)}`,
]

function listingTests(current: Current): void {
  it('lists what is below a prefix in the order of the bytes of its keys', async () => {
    const { store } = current()
    const keys = ['a', 'a.b', 'a/b', 'a0', 'aa/b/c', 'z', 'ü', '\uffee', '🎙'].filter(
      (key) => key !== 'a', // no store of files can hold both `a` and `a/b`
    )
    for (const key of [...keys].reverse()) await stored(store, `list/${key}`, Buffer.from(key))
    expect(await keysOf(store, 'list/')).toEqual(keys.map((key) => `list/${key}`))
    expect(await keysOf(store, 'list/a')).toEqual([
      'list/a.b',
      'list/a/b',
      'list/a0',
      'list/aa/b/c',
    ])
    expect(await keysOf(store, 'list/aa/')).toEqual(['list/aa/b/c'])
    expect(await keysOf(store, 'list/nothing/here')).toEqual([])
  })

  it('tells the size of what it lists', async () => {
    const { store } = current()
    const { etag } = await stored(store, 'sizes/one', Buffer.from('12345'))
    const heads: ObjectHead[] = []
    for await (const head of store.list('sizes/', { signal })) heads.push(head)
    expect(heads).toEqual([
      expect.objectContaining({ key: 'sizes/one', bytes: 5, etag, versionId: null }),
    ])
  })

  it('stops listing when its consumer does, and when it is aborted', async () => {
    const { store } = current()
    for (const key of ['stop/1', 'stop/2', 'stop/3']) await stored(store, key, Buffer.from(key))
    const seen: string[] = []
    for await (const { key } of store.list('stop/', { signal })) {
      seen.push(key)
      break
    }
    expect(seen).toEqual(['stop/1'])
    const controller = new AbortController()
    const reason = new StopRequested('canceled', 'enough')
    const listing = (async () => {
      for await (const { key } of store.list('stop/', { signal: controller.signal })) {
        seen.push(key)
        controller.abort(reason)
      }
    })()
    await expect(listing).rejects.toBe(reason)
    expect(seen).toEqual(['stop/1', 'stop/1'])
  })

  it.each(ODD_KEYS)('holds an object at %j', async (key) => {
    const { store } = current()
    const body = Buffer.from(`object at ${key}`)
    await stored(store, key, body)
    expect((await store.head(key, { signal })).bytes).toBe(body.length)
    expect(await collect((await store.get(key, { signal })).body)).toEqual(body)
    expect(await keysOf(store, 'odd/')).toContain(key)
    await store.delete(key, { signal })
    expect(await keysOf(store, 'odd/')).not.toContain(key)
  })

  it.each([
    ['an empty key', ''],
    ['more than 1024 bytes', 'x'.repeat(1025)],
    ['half a character', 'half \ud83c'],
  ])('refuses to store under %s', async (_, key) => {
    const { store } = current()
    await expect(store.put(key, Buffer.from('x'), { signal })).rejects.toMatchObject({
      name: 'InputError',
      code: 'input_unsupported',
    })
  })

  it('deletes, and deleting again is no error', async () => {
    const { store } = current()
    await stored(store, 'gone/now', Buffer.from('x'))
    for (let i = 0; i < 2; i += 1) await store.delete('gone/now', { signal })
    expect(await keysOf(store, 'gone/')).toEqual([])
  })
}

function failureTests(current: Current): void {
  it('says which key it does not have', async () => {
    const { store } = current()
    const missing = {
      name: 'InputError',
      code: 'input_not_found',
      message: expect.stringContaining('failed/nothing.wav'),
    }
    await expect(store.head('failed/nothing.wav', { signal })).rejects.toMatchObject(missing)
    await expect(store.get('failed/nothing.wav', { signal })).rejects.toMatchObject(missing)
  })

  it.each([1_000, 17_000_000])(
    'keeps nothing of a stream that fails after %i bytes, and passes its error on',
    async (bytes) => {
      const { store } = current()
      const failure = new Error('the decoder broke')
      const put = store.put('failed/stream', streamOf(randomBytes(bytes), failure), { signal })
      await expect(put).rejects.toBe(failure)
      expect(await keysOf(store, 'failed/')).toEqual([])
    },
  )

  it('does nothing once it is aborted', async () => {
    const { store } = current()
    const reason = new StopRequested('canceled', 'stop')
    const options = { signal: AbortSignal.abort(reason) }
    await expect(store.head('k', options)).rejects.toBe(reason)
    await expect(store.get('k', options)).rejects.toBe(reason)
    await expect(store.put('k', Buffer.from('x'), options)).rejects.toBe(reason)
    await expect(store.put('k', streamOf(Buffer.from('x')), options)).rejects.toBe(reason)
    await expect(store.delete('k', options)).rejects.toBe(reason)
    await expect(store.list('k', options)[Symbol.asyncIterator]().next()).rejects.toBe(reason)
    await expect(store.address('k', { ...options, validMs: 1000 })).rejects.toBe(reason)
  })

  it('ends a read in the middle when it is aborted', async () => {
    const { store } = current()
    await stored(store, 'aborted/read', randomBytes(5_000_000))
    const controller = new AbortController()
    const reason = new StopRequested('canceled', 'stop')
    const { body } = await store.get('aborted/read', { signal: controller.signal })
    const reading = (async () => {
      for await (const _ of body) controller.abort(reason)
    })()
    await expect(reading).rejects.toBe(reason)
  })

  it.each([10, 17_000_000])(
    'ends a put whose source hangs after %i bytes, releases the source and keeps nothing',
    async (bytes) => {
      const { store } = current()
      const controller = new AbortController()
      const reason = new StopRequested('canceled', 'stop')
      let released = false
      const iterator = {
        chunks: streamOf(randomBytes(bytes)),
        async next(): Promise<IteratorResult<Uint8Array>> {
          const next = await this.chunks.next()
          if (!next.done) return next
          setImmediate(() => controller.abort(reason))
          return await new Promise<never>(() => {})
        },
        async return(): Promise<IteratorResult<Uint8Array>> {
          released = true
          return { done: true, value: undefined }
        },
      }
      const source = { [Symbol.asyncIterator]: () => iterator }
      const put = store.put('aborted/put', source, { signal: controller.signal })
      await expect(put).rejects.toBe(reason)
      expect(released).toBe(true)
      expect(await keysOf(store, 'aborted/put')).toEqual([])
    },
  )
}
