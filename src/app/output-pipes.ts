import type { Writable } from 'node:stream'
import { reasonOf, StopRequested, systemCode, UpstreamError } from '../kernel/errors.js'

/** The output streams of a program, and what happens when no process reads them any more. */
export interface OutputPipes {
  /**
   * Aborts when stdout takes nothing more. The reason is a StopRequested where its reader has
   * closed the pipe, as `head` does, else an UpstreamError `output_write_failed`, for example for a
   * full disk.
   */
  readonly closed: AbortSignal
  /** Resolves when everything written has been passed on, or has failed to be. */
  flushed(): Promise<void>
}

/**
 * Watches stdout and stderr: without a listener the first write to a closed pipe would end the
 * process with a stack trace. A failed write to stderr is ignored, and the work goes on: there is
 * no other place to report it.
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
