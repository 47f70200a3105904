import type { Readable } from 'node:stream'
import { type Clock, sleepFor } from '../../kernel/clock.js'
import { NightscribeError } from '../../kernel/errors.js'
import type { Random } from '../../kernel/random.js'
import { ObjectBody } from '../object-body.js'

/** Tries in a row without a new byte, after which the body fails. */
const TRIES_MAX = 5
const BACKOFF_FIRST_MS = 200
const BACKOFF_MAX_MS = 5_000

/** The body of an answer, and how to request the rest of it if it breaks. */
export interface S3BodyOptions {
  first: Readable
  contentBytes: number
  /**
   * Requests the content again from byte `fromByte` of the body on, pinned to the same etag. A
   * classified error ends the body: the request was tried often enough, or a retry can't help.
   */
  reopen: (fromByte: number) => Promise<Readable>
  /** Maps the error of a broken answer once all tries are used up. */
  classify: (error: unknown) => Error
  clock: Clock
  random: Random
  signal: AbortSignal
}

/**
 * The body of an S3 object, which continues after its connection was cut. The SDK doesn't: where a
 * connection breaks after the headers, or a proxy closes it because the reader is slow, its body
 * ends. This one yields exactly `contentBytes` or throws.
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

  // An answer that was never read is destroyed too: its socket would otherwise stay in use.
  const release = async () => {
    current?.destroy()
  }
  return new ObjectBody(chunks(), release, { signal })
}

/** Handles an error between two reads, which would end the process; the next read throws it. */
function guarded(body: Readable): Readable {
  body.on('error', () => {})
  return body
}
