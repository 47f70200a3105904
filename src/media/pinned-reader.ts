import { createHash } from 'node:crypto'
import { type Clock, sleepFor } from '../kernel/clock.js'
import { NightscribeError, reasonOf, UpstreamError } from '../kernel/errors.js'
import type { MediaSource } from './index.js'

const RETRY_FIRST_MS = 100
const RETRY_LAST_MS = 5_000

/** How reads of a source are retried. */
export interface PinnedReaderOptions {
  clock: Clock
  /** Retries in a row that bring no byte before a read is given up. */
  retriesMax?: number
}

/**
 * Reads ranges of one source, faithfully: a read that breaks goes on from the byte it reached, and
 * every byte that passes in order from the start goes into the SHA-256 of the whole.
 *
 * Sound: reads are served. Failed: a read was given up; `failure` is the first such error, and
 * every later read throws it at once, because what was made of this source can't be trusted any
 * more.
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

  /** The error with which the source was given up, or null. */
  get failure(): Error | null {
    return this.firstFailure
  }

  /** Bytes that came from the source, those read twice included. */
  get bytesRead(): number {
    return this.bytesServed
  }

  /**
   * `[startByte, endByte)` in order and complete.
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

  /** The whole of a short range in one piece; `endByte` is cut at the end of the source. */
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

  /** SHA-256 of the whole source in lower-case hex; reads what hasn't passed yet. Call it last. */
  async sha256(options: { signal: AbortSignal }): Promise<string> {
    const rest = { startByte: this.bytesHashed, endByte: this.source.bytes }
    for await (const _ of this.read(rest, options)) {
      // read() accounts for every chunk that passes.
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
