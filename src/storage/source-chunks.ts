import { orAbort } from '../kernel/abort.js'

/** An error of the stream that is being stored. It isn't the store's: its cause is thrown as is. */
export class SourceFailure extends Error {
  override readonly name = 'SourceFailure'

  constructor(cause: unknown) {
    super('the stream to be stored failed', { cause })
  }
}

/**
 * The chunks of a body that is being stored, without empty ones. An abort ends the wait for a
 * source that hangs. The source is always released, and its release is not waited for.
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
    // An error of the release is ignored: the source has failed or ended, or is not needed any
    // more.
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
