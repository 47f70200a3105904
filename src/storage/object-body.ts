import { orAbort } from '../kernel/abort.js'
import { InputError } from '../kernel/errors.js'
import type { ObjectRead } from './index.js'

/**
 * The body of an object that is being read. Three states: fresh (a file or connection is open, and
 * nothing was read), reading, and released (by the end, an error, a `break` or the signal). Unlike
 * a generator it also releases the file or connection where no read has ever begun.
 */
export class ObjectBody implements AsyncIterableIterator<Uint8Array> {
  private readonly chunks: AsyncIterator<Uint8Array, void>
  private readonly release: () => Promise<void>
  private readonly signal: AbortSignal
  private released: Promise<void> | null = null
  private readonly onAbort = () => {
    // The reader gets the abort from `next`.
    this.finish().catch(() => {})
  }

  /** @param release closes the file or connection; called once, possibly during a read */
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
      // The error of the read is thrown, not one of the release.
      await this.finish().catch(() => {})
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
    // Checked inside the loop, because leaving the loop closes the connection.
    if (contentBytes > bytesMax) {
      throw new InputError('media_too_large', `${key} is larger than ${bytesMax} bytes.`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
