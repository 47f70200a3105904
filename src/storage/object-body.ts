import { orAbort } from '../kernel/abort.js'
import { InputError } from '../kernel/errors.js'
import type { ObjectRead } from './index.js'

/**
 * The body of an object being read. Three modes: fresh (something is held open, nothing was read),
 * reading, and released (by the end, an error, an early `break` or the signal). Unlike a bare
 * generator it also releases what it holds when no reader ever started.
 */
export class ObjectBody implements AsyncIterableIterator<Uint8Array> {
  private readonly chunks: AsyncIterator<Uint8Array, void>
  private readonly release: () => Promise<void>
  private readonly signal: AbortSignal
  private released: Promise<void> | null = null
  private readonly onAbort = () => {
    this.finish().catch(() => {}) // the reader learns of the abort by next()
  }

  /** @param release called once, possibly while a chunk is being read */
  constructor(
    chunks: AsyncIterator<Uint8Array, void>,
    release: () => Promise<void>,
    options: { signal: AbortSignal },
  ) {
    this.chunks = chunks
    this.release = release
    this.signal = options.signal
    this.signal.addEventListener('abort', this.onAbort, { once: true })
    if (this.signal.aborted) this.onAbort()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** @throws what the chunks throw, or the signal's reason */
  async next(): Promise<IteratorResult<Uint8Array, void>> {
    try {
      this.signal.throwIfAborted()
      if (this.released) return { done: true, value: undefined }
      const next = await orAbort(this.chunks.next(), this.signal)
      if (next.done) await this.finish()
      return next
    } catch (error) {
      await this.finish().catch(() => {}) // the first error is the one to tell
      throw error
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, void>> {
    await this.finish()
    return { done: true, value: undefined }
  }

  private finish(): Promise<void> {
    this.signal.removeEventListener('abort', this.onAbort)
    this.released ??= this.release()
    return this.released
  }
}

/**
 * Reads an object whole into memory.
 * @throws InputError `media_too_large` above `bytesMax`; what reading throws
 */
export async function readWholeBody(
  { body, contentBytes }: Pick<ObjectRead, 'body' | 'contentBytes'>,
  { key, bytesMax }: { key: string; bytesMax: number },
): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body) {
    // Inside the loop, because leaving it is what closes the connection.
    if (contentBytes > bytesMax) {
      throw new InputError('media_too_large', `${key} is larger than ${bytesMax} bytes.`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
