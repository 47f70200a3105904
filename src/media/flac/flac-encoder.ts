import { spawn } from 'node:child_process'
import { UpstreamError } from '../../kernel/errors.js'
import { SAMPLE_RATE } from '../../model/pcm.js'
import type { PcmSink } from '../ffmpeg/ffmpeg-decoder.js'

/** A running encoder. Disposing it ends the process; the caller must remove the file. */
export interface FlacEncoder extends AsyncDisposable {
  /** Takes s16le samples, the lanes interleaved; waits while the encoder is behind. */
  write: PcmSink
  /** Closes the file. @throws UpstreamError `decode_failed` when it could not be written whole */
  finish(): Promise<void>
}

/**
 * Encodes PCM as FLAC in a process of its own, every sample that it is given. An ffmpeg that
 * decodes to PCM and FLAC at once loses samples where the recording changes its rate or channels.
 */
export function startFlacEncoder(
  { ffmpegPath, path, lanes }: { ffmpegPath: string; path: string; lanes: number },
  { signal }: { signal: AbortSignal },
): FlacEncoder {
  const input = ['-f', 's16le', '-ar', String(SAMPLE_RATE), '-ac', String(lanes), '-i', 'pipe:0']
  const output = ['-bitexact', '-map_metadata', '-1', '-c:a', 'flac', '-f', 'flac', path]
  const args = ['-v', 'error', '-nostats', '-y', ...input, ...output]
  const child = spawn(ffmpegPath, args, { stdio: ['pipe', 'ignore', 'ignore'] })
  const kill = () => child.kill('SIGKILL')
  signal.addEventListener('abort', kill, { once: true })
  let cause: unknown
  const ended = new Promise<number | null>((resolve) => {
    child.once('error', (error) => {
      cause = error
      resolve(null)
    })
    child.once('close', resolve)
  })
  // A broken pipe is handled here, or it would end this process: `write` throws for it.
  child.stdin.on('error', () => {})
  const failed = (exitCode: number | null) =>
    new UpstreamError(
      'decode_failed',
      `ffmpeg could not write the decoded audio to ${path} (exit code ${exitCode}); see that ` +
        'there is space left.',
      { effect: 'none', cause },
    )
  return {
    async write(pcm) {
      const broken = await new Promise<unknown>((resolve) => child.stdin.write(pcm, resolve))
      signal.throwIfAborted()
      if (broken) throw failed(await ended)
    },
    async finish() {
      child.stdin.end()
      const exitCode = await ended
      signal.throwIfAborted()
      if (exitCode !== 0) throw failed(exitCode)
    },
    async [Symbol.asyncDispose]() {
      signal.removeEventListener('abort', kill)
      if (child.exitCode === null && child.signalCode === null) kill()
      await ended
    },
  }
}
