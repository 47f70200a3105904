import type { Writable } from 'node:stream'
import { reasonOf, StopRequested, systemCode, UpstreamError } from '../kernel/errors.js'

/** Where a program writes, and what becomes of it when nobody reads there. */
export interface OutputPipes {
  /**
   * Aborts when stdout takes nothing more. The reason is a StopRequested where its reader has gone,
   * as `head` does, else an UpstreamError `output_write_failed`, for a full disk for example.
   */
  readonly closed: AbortSignal
  /** Resolves when all that was written is out, or has failed to be. */
  flushed(): Promise<void>
}

/**
 * Watches the streams that results and sentences go to; without that, the first write to a pipe
 * that nobody reads ends the process with a stack trace. What is said on stderr is lost where it
 * can't be written: there is no other place to say so, and the work is done all the same.
 */
export function watchOutputs(out: Writable, err: Writable): OutputPipes {
  const closed = new AbortController()
  out.on('error', (error) => closed.abort(closingReason(error)))
  err.on('error', () => {})
  const flush = (stream: Writable) => new Promise<void>((done) => stream.write('', () => done()))
  return {
    closed: closed.signal,
    async flushed() {
      await Promise.all([flush(out), flush(err)])
    },
  }
}

function closingReason(error: Error): Error {
  if (systemCode(error) === 'EPIPE') {
    return new StopRequested('canceled', 'Nobody reads the output any more.')
  }
  return new UpstreamError(
    'output_write_failed',
    `The output can't be written (${reasonOf(error)}); free some space or write it elsewhere.`,
    { cause: error },
  )
}
