import { orAbort } from '../kernel/abort.js'

/** An error of the stream that was to be stored: not the store's, so it is passed on as it is. */
export class SourceFailure extends Error {
  override readonly name = 'SourceFailure'

  constructor(cause: unknown) {
    super('the stream to be stored failed', { cause })
  }
}

/**
 * The chunks of something to be stored, without empty ones. An abort ends the wait for a source
 * that hangs; the source is released in any case, but not waited for.
 *
 * @throws the signal's reason; SourceFailure around whatever the source throws
 */
export async function* sourceChunks(
  body: Uint8Array | AsyncIterable<Uint8Array>,
  options: { signal: AbortSignal },
): AsyncGenerator<Uint8Array, void, void> {
  const { signal } = options
  signal.throwIfAborted()
  if (body instanceof Uint8Array) {
    if (body.byteLength > 0) yield body
    return
  }
  const iterator = body[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await nextOf(iterator, signal)
      if (next.done) return
      if (next.value.byteLength > 0) yield next.value
    }
  } finally {
    // A source that failed or was left has nothing more to say.
    iterator.return?.().catch(() => {})
  }
}

async function nextOf(
  iterator: AsyncIterator<Uint8Array>,
  signal: AbortSignal,
): Promise<IteratorResult<Uint8Array>> {
  try {
    return await orAbort(iterator.next(), signal)
  } catch (error) {
    if (signal.aborted) throw signal.reason
    throw new SourceFailure(error)
  }
}
