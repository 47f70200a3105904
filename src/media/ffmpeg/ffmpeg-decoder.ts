import type { ChildProcess } from 'node:child_process'
import { Writable } from 'node:stream'
import ffmpeg from 'fluent-ffmpeg'
import { FLAC_LABEL, PCM_LABEL } from './decode-graph.js'
import { type DecodeMarker, markerOf, printableLine } from './decode-markers.js'
import { INPUT_GUARD } from './media-formats.js'

/** One run of ffmpeg: the URL that it reads, the filter graph and the outputs. */
export interface DecodeRequest {
  ffmpegPath: string
  url: string
  /** From `decode-graph.ts`: ends in `[pcm]` and, with a `flacPath`, in `[flac]`. */
  graph: string
  /** File to which the same samples are written as FLAC; null for none. */
  flacPath: string | null
}

/** Takes s16le bytes in order, at most 64 KiB at a time; ffmpeg waits while it is pending. */
export type PcmSink = (pcm: Uint8Array) => void | Promise<void>

/**
 * How ffmpeg ended without being stopped. None of this proves a success: exit code 0 with too
 * little audio is common, and only the caller knows how much the source should give.
 */
export interface DecodeOutcome {
  /** ffmpeg's exit code; null where another process or the kernel killed ffmpeg. */
  exitCode: number | null
  pcmBytes: number
  markers: Record<DecodeMarker, number>
  /** The last lines of stderr, without URLs; for the log, not for error sentences. */
  stderrTail: string[]
}

const STDERR_LINES_MAX = 20
/** Lines of stderr that fluent-ffmpeg keeps in memory itself. */
const LIBRARY_LINES_MAX = 50

/**
 * Runs ffmpeg to its end and feeds `sink`. An abort and an error of the sink kill the process at
 * once; it has been reaped when this settles.
 *
 * This is the only file that uses fluent-ffmpeg, and it works around two faults of it. The binary
 * must be checked before (`checkFfmpeg`): the library throws an uncaught TypeError when a process
 * can't be spawned. The output stream must never emit `close`: the library kills ffmpeg 20 ms after
 * it, perhaps before ffmpeg has rewritten the header of the FLAC.
 *
 * @throws what `sink` throws; the spawn error; the signal's reason
 */
export async function decodeAudio(
  request: DecodeRequest,
  sink: PcmSink,
  { signal }: { signal: AbortSignal },
): Promise<DecodeOutcome> {
  signal.throwIfAborted()
  const run = new FfmpegRun(sink)
  const onAbort = () => run.stop(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await run.toEnd(commandOf(request, run.output), signal)
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

function commandOf(request: DecodeRequest, output: Writable): ffmpeg.FfmpegCommand {
  const command = ffmpeg({ stdoutLines: LIBRARY_LINES_MAX })
    .setFfmpegPath(request.ffmpegPath)
    .input(request.url)
    .inputOptions(['-hide_banner', '-nostdin', '-nostats'])
    .inputOptions('-v', 'warning')
    .inputOptions('-threads', '1')
    .inputOptions('-max_error_rate', '1')
    .inputOptions(...INPUT_GUARD)
    .complexFilter(request.graph)
    .output(output, { end: true })
    .outputOptions('-map', PCM_LABEL)
    .outputOptions(['-vn', '-sn', '-dn'])
    .outputOptions('-c:a', 'pcm_s16le', '-f', 's16le')
  if (request.flacPath === null) return command
  return command
    .output(request.flacPath)
    .outputOptions('-map', FLAC_LABEL)
    .outputOptions(['-vn', '-sn', '-dn', '-bitexact'])
    .outputOptions('-map_metadata', '-1')
    .outputOptions('-c:a', 'flac', '-f', 'flac')
}

/**
 * Starting: the library asks ffmpeg for its capabilities, once per process of ours. Running: PCM
 * goes to the sink. Stopping: `failure` is set and ffmpeg was killed. Each ends once ffmpeg is
 * gone.
 */
class FfmpegRun {
  readonly output: Writable
  private child: ChildProcess | null = null
  private failure: { reason: unknown } | null = null
  private pcmBytes = 0
  private readonly markers: Record<DecodeMarker, number> = {
    truncated: 0,
    damaged: 0,
    disk_full: 0,
  }
  private readonly stderrTail: string[] = []

  constructor(sink: PcmSink) {
    this.output = new Writable({
      autoDestroy: false,
      emitClose: false,
      highWaterMark: 128 * 1024,
      write: (chunk: Buffer, _encoding, done) => {
        this.pcmBytes += chunk.length
        this.deliver(sink, chunk).then(() => done(), done)
      },
    })
  }

  /** Kills ffmpeg; the reason of the first call is the one that `toEnd` throws. */
  stop(reason: unknown): void {
    this.failure ??= { reason }
    this.child?.kill('SIGKILL')
    // The pipe is destroyed because its unread bytes would keep the process from counting as
    // closed.
    this.child?.stdout?.destroy()
  }

  toEnd(command: ffmpeg.FfmpegCommand, signal: AbortSignal): Promise<DecodeOutcome> {
    return new Promise((resolve, reject) => {
      const settle = (exitCode: number | null) => {
        if (this.failure) reject(this.failure.reason)
        else resolve(this.outcome(exitCode))
      }
      command.on('stderr', (line: string) => this.readLine(line))
      command.on('start', () => {
        this.attach((command as unknown as { ffmpegProc: ChildProcess }).ffmpegProc, settle, reject)
        if (signal.aborted) this.stop(signal.reason)
      })
      // Counts only before a process exists; afterwards the process's own events decide.
      command.on('error', (error: Error) => {
        if (!this.child) reject(signal.aborted ? signal.reason : error)
      })
      command.run()
    })
  }

  private attach(
    child: ChildProcess,
    settle: (exitCode: number | null) => void,
    reject: (error: Error) => void,
  ): void {
    this.child = child
    // Replaces the library's handler, which throws when the process could not be spawned.
    child.removeAllListeners('error')
    child.once('error', reject)
    this.output.once('error', (error) => this.stop(error))
    child.once('close', (exitCode: number | null) => {
      if (this.failure || this.output.writableFinished) settle(exitCode)
      else {
        this.output.once('finish', () => settle(exitCode))
        this.output.once('error', () => settle(exitCode))
      }
    })
  }

  private async deliver(sink: PcmSink, chunk: Buffer): Promise<void> {
    if (this.failure) return
    await sink(chunk)
  }

  private readLine(line: string): void {
    const marker = markerOf(line)
    if (marker) this.markers[marker] += 1
    this.stderrTail.push(printableLine(line))
    if (this.stderrTail.length > STDERR_LINES_MAX) this.stderrTail.shift()
  }

  private outcome(exitCode: number | null): DecodeOutcome {
    const { pcmBytes, markers, stderrTail } = this
    return { exitCode, pcmBytes, markers, stderrTail }
  }
}
