import { createHash } from 'node:crypto'
import { type Clock, sleepFor } from '../kernel/clock.js'
import { NightscribeError, reasonOf, UpstreamError } from '../kernel/errors.js'
import type { MediaSource } from './index.js'

const RETRY_FIRST_MS = 100
const RETRY_LAST_MS = 5_000

/** Options for retries of a source's reads. */
export interface PinnedReaderOptions {
  clock: Clock
  /** Retries in a row without a new byte, after which a read fails. */
  retriesMax?: number
}

/**
 * Reads ranges of one source. A read that breaks continues from the byte that it had reached, and
 * all bytes that pass in order from the start go into the SHA-256 of the whole source.
 *
 * Sound: reads are served. Failed: a read has failed for good; `failure` is the first such error,
 * and every later read throws it at once, because results made from this source can't be trusted.
 */
export class PinnedReader {
  readonly source: MediaSource
  private readonly clock: Clock
  private readonly retriesMax: number
  private readonly hash = createHash('sha256')
  private bytesHashed = 0
  private bytesServed = 0
  private firstFailure: Error | null = null

  constructor(source: MediaSource, options: PinnedReaderOptions) {
    this.source = source
    this.clock = options.clock
    this.retriesMax = options.retriesMax ?? 5
  }

  /** The error of the first read that failed for good; null while all reads succeed. */
  get failure(): Error | null {
    return this.firstFailure
  }

  /** Bytes received from the source; bytes that were read twice count twice. */
  get bytesRead(): number {
    return this.bytesServed
  }

  /**
   * Yields the bytes `[startByte, endByte)` in order and completely.
   * @throws the source's own classified error; UpstreamError `storage_unavailable` when retries are
   *   used up; the signal's reason
   */
  async *read(
    range: { startByte: number; endByte: number },
    { signal }: { signal: AbortSignal },
  ): AsyncGenerator<Uint8Array, void, void> {
    let atByte = range.startByte
    let retries = 0
    while (atByte < range.endByte) {
      signal.throwIfAborted()
      if (this.firstFailure) throw this.firstFailure
      try {
        const from = { startByte: atByte, endByte: range.endByte }
        for await (const chunk of await this.source.read(from, { signal })) {
          const wanted = chunk.subarray(0, range.endByte - atByte)
          this.account(atByte, wanted)
          atByte += wanted.length
          if (wanted.length > 0) retries = 0
          if (wanted.length > 0) yield wanted
          signal.throwIfAborted()
          if (atByte >= range.endByte) return
        }
        throw new Error(`the store ended the answer at byte ${atByte} of ${range.endByte}`)
      } catch (error) {
        if (signal.aborted) throw signal.reason
        await this.giveUpOrWait(error, { atByte, retries, signal })
        retries += 1
      }
    }
  }

  /** Reads a short range into one buffer; `endByte` beyond the source means its end. */
  async readAll(
    range: { startByte: number; endByte: number },
    options: { signal: AbortSignal },
  ): Promise<Buffer> {
    const chunks: Uint8Array[] = []
    const endByte = Math.min(range.endByte, this.source.bytes)
    for await (const chunk of this.read({ startByte: range.startByte, endByte }, options)) {
      chunks.push(chunk)
    }
    return Buffer.concat(chunks)
  }

  /** SHA-256 of the whole source, lower-case hex. Reads the bytes not read so far: call it last. */
  async sha256(options: { signal: AbortSignal }): Promise<string> {
    const rest = { startByte: this.bytesHashed, endByte: this.source.bytes }
    for await (const _ of this.read(rest, options)) {
      // `read` adds every chunk that passes to the hash.
    }
    return this.hash.digest('hex')
  }

  private account(startByte: number, chunk: Uint8Array): void {
    this.bytesServed += chunk.length
    const known = this.bytesHashed - startByte
    if (known < 0 || known >= chunk.length) return
    this.hash.update(known === 0 ? chunk : chunk.subarray(known))
    this.bytesHashed = startByte + chunk.length
  }

  private async giveUpOrWait(
    error: unknown,
    at: { atByte: number; retries: number; signal: AbortSignal },
  ): Promise<void> {
    const final = error instanceof NightscribeError && !error.retryable
    if (final || at.retries >= this.retriesMax) {
      this.firstFailure ??= this.classified(error, at.atByte)
      throw this.firstFailure
    }
    const backoffMs = Math.min(RETRY_LAST_MS, RETRY_FIRST_MS * 2 ** at.retries)
    await sleepFor(this.clock, backoffMs, { signal: at.signal })
  }

  private classified(error: unknown, atByte: number): Error {
    if (error instanceof NightscribeError) return error
    const { name, bytes } = this.source
    return new UpstreamError(
      'storage_unavailable',
      `Reading ${name} stopped at byte ${atByte} of ${bytes} after ${this.retriesMax} retries ` +
        `(${reasonOf(error)}); it is read again with the next attempt.`,
      { effect: 'none', cause: error, facts: { atByte, bytes } },
    )
  }
}
