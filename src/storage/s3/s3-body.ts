import type { Readable } from 'node:stream'
import { type Clock, sleepFor } from '../../kernel/clock.js'
import { NightscribeError } from '../../kernel/errors.js'
import type { Random } from '../../kernel/random.js'
import { ObjectBody } from '../object-body.js'

/** Tries in a row that bring no byte before the body fails. */
const TRIES_MAX = 5
const BACKOFF_FIRST_MS = 200
const BACKOFF_MAX_MS = 5_000

/** An answer that has begun, and how to get the rest of it should it break. */
export interface S3BodyOptions {
  first: Readable
  contentBytes: number
  /**
   * Asks for the content again from a byte of it on, pinned to the same etag. A classified error
   * ends the body: it says that the request was tried often enough, or that trying can't help.
   */
  reopen: (fromByte: number) => Promise<Readable>
  /** What an answer that broke is called when there is nothing left to try. */
  classify: (error: unknown) => Error
  clock: Clock
  random: Random
  signal: AbortSignal
}

/**
 * The body of an S3 object, which goes on where it was cut (the SDK doesn't: a connection that
 * breaks after the headers, or that a proxy closes because its reader was slow, just ends). It
 * yields exactly `contentBytes` or throws.
 */
export function resumableBody(options: S3BodyOptions): ObjectBody {
  let current: Readable | null = guarded(options.first)
  const { contentBytes, clock, random, signal } = options

  async function* chunks(): AsyncGenerator<Uint8Array, void, void> {
    let received = 0
    let tries = 0
    while (received < contentBytes) {
      try {
        current ??= guarded(await options.reopen(received))
        signal.throwIfAborted()
        for await (const chunk of current as AsyncIterable<Uint8Array>) {
          received += chunk.byteLength
          tries = 0
          yield chunk
        }
        if (received < contentBytes) throw new Error(`it ended at ${received} of ${contentBytes}`)
      } catch (error) {
        if (signal.aborted) throw signal.reason
        if (error instanceof NightscribeError) throw error
        if (received >= contentBytes) break
        tries += 1
        if (tries > TRIES_MAX) throw options.classify(error)
        const backoffMs = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (tries - 1))
        await sleepFor(clock, backoffMs * (0.5 + random.uniform() / 2), { signal })
      } finally {
        current?.destroy()
        current = null
      }
    }
  }

  // An answer without a reader is released as well, so that its socket isn't lost.
  const release = async () => {
    current?.destroy()
  }
  return new ObjectBody(chunks(), release, { signal })
}

/** A break between two reads must not end the process; the next read throws it. */
function guarded(body: Readable): Readable {
  body.on('error', () => {})
  return body
}
