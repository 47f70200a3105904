import { withTimeout } from '../../kernel/abort.js'
import { InputError, UpstreamError } from '../../kernel/errors.js'
import { msToSamples, SAMPLE_BYTES, samplesToMs } from '../../model/pcm.js'
import type { ChannelMode, MediaSource, MediaWarning } from '../index.js'
import type { MediaTools } from '../media-tools.js'
import type { PinnedReader } from '../pinned-reader.js'
import { id3Bytes, isOpenWav, mp3DeclaredMs, wavDeclaredMs } from './declared-duration.js'
import { recordingGraph } from './decode-graph.js'
import { isTruncated } from './decode-markers.js'
import { type DecodeOutcome, decodeAudio, type PcmSink } from './ffmpeg-decoder.js'
import { type ProbedMedia, probeMedia } from './media-probe.js'
import { OGG_PAGE_BYTES_MAX, oggTail } from './ogg-tail.js'
import type { ServedSource } from './range-proxy.js'

/** Limits of a recording; the settings `media.*` of the same names. */
export interface MediaLimits {
  durationMaxMs: number
  sourceBytesMax: number
  channelsMax: number
}

/** Facts of a recording that are known before its audio is decoded. */
export interface RecordingFacts extends ProbedMedia {
  lanes: number
  /** Length that the file states, in ms, to show progress; null where it states none. */
  expectedMs: number | null
}

/** How a recording is decoded, and the sink of its samples. */
export interface DecodeRecordingOptions {
  tools: MediaTools
  channels: ChannelMode
  limits: MediaLimits
  /** File to which the samples are also written as FLAC; null for none. */
  flacPath: string | null
  /** Called once, before the first PCM, which is s16le with the lanes interleaved. */
  sinkFor: (facts: RecordingFacts) => PcmSink
}

/** Length, hash and warnings of a recording, known once it has been decoded. */
export interface DecodedRecording {
  facts: RecordingFacts
  /** Length of every lane, in samples of 16 kHz. */
  samples: number
  /** SHA-256 of the source's bytes, lower-case hex. */
  sha256: string
  warnings: MediaWarning[]
  decodeMs: number
}

const HEAD_BYTES = 64 * 1024

/**
 * Decodes a recording once, from its first byte to its last, and warns of defects. A damaged one
 * gives the audio that can be decoded and a warning; it fails only where none can.
 *
 * @throws InputError `media_corrupt`, `input_unsupported`, `no_audio_stream`, `media_too_long`,
 *   `media_too_large` or `decode_failed`; the source's own error; UpstreamError `decode_failed`
 *   when time is up or ffmpeg was killed, `output_write_failed` when the spool is full; what the
 *   sink throws; the signal's reason
 */
export async function decodeRecording(
  source: MediaSource,
  options: DecodeRecordingOptions,
  { signal }: { signal: AbortSignal },
): Promise<DecodedRecording> {
  refuseBySize(source, options.limits)
  const { tools } = options
  using served = tools.proxy.open(source)
  const onTimeout = () =>
    new UpstreamError(
      'decode_failed',
      `Decoding ${source.name} took longer than ${tools.decodeTimeoutMs} ms; raise ` +
        'media.decodeTimeoutMs, or find out why this machine or its storage is so slow.',
      { effect: 'none', facts: { decodeTimeoutMs: tools.decodeTimeoutMs } },
    )
  try {
    return await withTimeout(tools.decodeTimeoutMs, signal, onTimeout, (timed) =>
      decodeServed(served, options, timed),
    )
  } catch (error) {
    // An error of the source comes first: ffmpeg's own error is a consequence of it.
    if (!signal.aborted && served.reader.failure) throw served.reader.failure
    throw error
  }
}

async function decodeServed(
  served: ServedSource,
  options: DecodeRecordingOptions,
  signal: AbortSignal,
): Promise<DecodedRecording> {
  const { tools, limits } = options
  const { reader, url } = served
  const startMs = tools.clock.monotonicMs()
  const head = await reader.readAll({ startByte: 0, endByte: HEAD_BYTES }, { signal })
  const probed = await probeMedia(served, { ffprobePath: tools.ffprobePath, head, signal })
  const lanes = lanesOf(probed, options, reader.source.name)
  const countedMs = await countedDuration(reader, { container: probed.container, head, signal })
  const facts = { ...probed, lanes, expectedMs: countedMs ?? probed.headerMs }
  const graph = recordingGraph({ ...probed, lanes }, { flac: options.flacPath !== null })
  const sink = limited(options.sinkFor(facts), { lanes, limits, name: reader.source.name })
  const request = { ffmpegPath: tools.ffmpegPath, url, graph, flacPath: options.flacPath }
  const outcome = await decodeAudio(request, sink, { signal })
  if (reader.failure) throw reader.failure
  const samples = Math.floor(outcome.pcmBytes / SAMPLE_BYTES / lanes)
  if (samples === 0 || outcome.exitCode === null || outcome.markers.disk_full > 0) {
    throw failureOf(outcome, { name: reader.source.name, codec: probed.codec }, tools.spoolDir)
  }
  const decodeMs = tools.clock.monotonicMs() - startMs
  const ogg = probed.container === 'ogg' ? await tailOf(reader, signal) : null
  const decodedMs = samplesToMs(samples)
  const { headerMs } = probed
  const warnings: MediaWarning[] = []
  const isOpen = isOpenWav(head)
  const { markers } = outcome
  if (isTruncated({ decodedMs, headerMs, countedMs, isOpen, oggTail: ogg, markers })) {
    warnings.push('media_truncated')
  }
  // A truncated recording ends in one broken packet, which is no further damage.
  const packetsAllowed = warnings.length > 0 ? 1 : 0
  if (markers.damaged > packetsAllowed || outcome.exitCode !== 0) {
    warnings.push('media_damaged')
  }
  return { facts, samples, sha256: await reader.sha256({ signal }), warnings, decodeMs }
}

function refuseBySize({ name, bytes }: MediaSource, { sourceBytesMax }: MediaLimits): void {
  if (bytes === 0) {
    throw new InputError('media_corrupt', `${name} is empty (0 bytes); upload it again.`)
  }
  if (bytes <= sourceBytesMax) return
  throw new InputError(
    'media_too_large',
    `${name} has ${bytes} bytes, more than media.sourceBytesMax (${sourceBytesMax}); split it, or ` +
      'raise that setting.',
    { facts: { bytes, sourceBytesMax } },
  )
}

function lanesOf({ channels }: ProbedMedia, options: DecodeRecordingOptions, name: string): number {
  if (options.channels === 'mix') return 1
  const { channelsMax } = options.limits
  if (channels <= channelsMax) return channels
  throw new InputError(
    'input_unsupported',
    `${name} has ${channels} channels, and at most ${channelsMax} can be split ` +
      "(media.channelsMax); submit it with channels 'mix'.",
    { facts: { channels, channelsMax } },
  )
}

/** Wraps a sink: stops the decode once it gives more audio than `durationMaxMs` allows. */
function limited(
  sink: PcmSink,
  { lanes, limits, name }: { lanes: number; limits: MediaLimits; name: string },
): PcmSink {
  const { durationMaxMs } = limits
  let bytesLeft = msToSamples(durationMaxMs) * SAMPLE_BYTES * lanes
  return (pcm) => {
    bytesLeft -= pcm.length
    if (bytesLeft >= 0) return sink(pcm)
    throw new InputError(
      'media_too_long',
      `${name} is longer than media.durationMaxMs (${durationMaxMs} ms); split it, or raise that ` +
        'setting.',
      { facts: { durationMaxMs } },
    )
  }
}

/**
 * Length in ms by the head of a wav or mp3, which ffprobe ignores where the file was cut; null
 * where the head has none, and for other containers.
 */
export async function countedDuration(
  reader: PinnedReader,
  { container, head, signal }: { container: string; head: Uint8Array; signal: AbortSignal },
): Promise<number | null> {
  if (container === 'wav') return wavDeclaredMs(head)
  if (container !== 'mp3') return null
  const startByte = id3Bytes(head)
  if (startByte + 512 <= head.length) return mp3DeclaredMs(head.subarray(startByte))
  if (startByte >= reader.source.bytes) return null
  const frame = await reader.readAll({ startByte, endByte: startByte + 512 }, { signal })
  return mp3DeclaredMs(frame)
}

async function tailOf(reader: PinnedReader, signal: AbortSignal) {
  const { bytes } = reader.source
  const startByte = Math.max(0, bytes - OGG_PAGE_BYTES_MAX)
  return oggTail(await reader.readAll({ startByte, endByte: bytes }, { signal }))
}

function failureOf(
  outcome: DecodeOutcome,
  { name, codec }: { name: string; codec: string },
  spoolDir: string,
): Error {
  const facts = { exitCode: outcome.exitCode, pcmBytes: outcome.pcmBytes }
  if (outcome.markers.disk_full > 0) {
    return new UpstreamError(
      'output_write_failed',
      `There is no space left in ${spoolDir} for the decoded audio of ${name}; free some, or set ` +
        'stateDir to a larger disk.',
      { effect: 'none', facts },
    )
  }
  if (outcome.exitCode === null) {
    return new UpstreamError(
      'decode_failed',
      `Something killed ffmpeg while it decoded ${name}; look for the kernel's out-of-memory ` +
        'messages.',
      { effect: 'none', facts },
    )
  }
  const understood =
    outcome.exitCode === 0 || outcome.markers.damaged + outcome.markers.truncated > 0
  if (understood) {
    return new InputError(
      'media_corrupt',
      `${name} holds no audio that can be decoded; it is damaged or was never finished: upload it ` +
        'again.',
      { facts },
    )
  }
  return new InputError(
    'decode_failed',
    `ffmpeg can't decode the ${codec} audio of ${name}; convert it to wav, mp3, m4a or flac.`,
    { facts },
  )
}
