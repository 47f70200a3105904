import { InputError, reasonOf, UpstreamError } from '../../kernel/errors.js'
import { containerName, INPUT_GUARD, looksLikeMedia } from './media-formats.js'
import type { ServedSource } from './range-proxy.js'
import { runProcess } from './run-process.js'

/** Facts that ffprobe gives of a recording and its first audio track. */
export interface ProbedMedia {
  container: string
  codec: string
  sampleRate: number
  channels: number
  /** False where the file names no positions (left, right) for its channels. */
  channelsPlaced: boolean
  /** Length of the audio in ms as a header states it; null where it is missing or an estimate. */
  headerMs: number | null
  hasVideo: boolean
  /** How long after the start of the file its audio begins, in ms; null where unknown. */
  audioFromMs: number | null
}

interface FfprobeStream {
  codec_type?: string
  codec_name?: string
  sample_rate?: string
  channels?: number
  channel_layout?: string
  start_time?: string
  duration?: string
  disposition?: { attached_pic?: number }
  tags?: Record<string, string>
}

interface FfprobeAnswer {
  streams?: FfprobeStream[]
  format?: {
    format_name?: string
    start_time?: string
    duration?: string
    tags?: Record<string, string>
  }
}

/** Containers whose header states the length; for others ffprobe estimates it from the bytes. */
const STATES_DURATION = /^(aiff|asf|au|caf|flac|w64|wv|mov,|matroska|voc)/

/** Fields that ffprobe prints. Others are left out: tags of any length would fill its answer. */
const ENTRIES_WANTED = [
  'format=format_name,start_time,duration',
  'format_tags=major_brand',
  'stream=codec_type,codec_name,sample_rate,channels,channel_layout,start_time,duration',
  'stream_disposition=attached_pic',
  'stream_tags=DURATION',
].join(':')

/**
 * Runs ffprobe on a served source. `head` is the beginning of the source, 128 bytes or more.
 *
 * @throws InputError `media_corrupt`, `input_unsupported` or `no_audio_stream`; UpstreamError
 *   `decode_failed` when ffprobe can't be run; the signal's reason
 */
export async function probeMedia(
  served: ServedSource,
  { ffprobePath, head, signal }: { ffprobePath: string; head: Uint8Array; signal: AbortSignal },
): Promise<ProbedMedia> {
  const args = ['-v', 'error', '-hide_banner', ...INPUT_GUARD]
  args.push('-show_entries', ENTRIES_WANTED, '-of', 'json', served.url)
  const options = { signal, outputBytesMax: 2 ** 20 }
  const outcome = await runProcess(ffprobePath, args, options).catch((error: unknown) => {
    if (signal.aborted) throw signal.reason
    throw new UpstreamError(
      'decode_failed',
      `ffprobe could not be run on ${served.reader.source.name} (${reasonOf(error)}); ` +
        'run the doctor command.',
      { effect: 'none', cause: error },
    )
  })
  if (served.reader.failure) throw served.reader.failure
  const { name } = served.reader.source
  if (outcome.exitCode === null) {
    throw new UpstreamError(
      'decode_failed',
      `Something killed ffprobe while it looked at ${name}; look for the kernel's out-of-memory ` +
        'messages.',
      { effect: 'none' },
    )
  }
  if (outcome.exitCode !== 0) throw unreadable(name, head, outcome.stderr)
  return read(parsed(outcome.stdout, name), name, head)
}

/** @throws InputError where the answer was longer than the limit and is incomplete */
function parsed(answer: string, name: string): FfprobeAnswer {
  try {
    return JSON.parse(answer) as FfprobeAnswer
  } catch (cause) {
    throw new InputError(
      'media_corrupt',
      `${name} lists more tracks than any recording has; its header is damaged: upload it again.`,
      { cause },
    )
  }
}

function unreadable(name: string, head: Uint8Array, stderr: string): InputError {
  if (stderr.includes('moov atom not found')) {
    return new InputError(
      'media_corrupt',
      `${name} can't be decoded because its index (moov) is missing: the recorder was stopped ` +
        'before it could write it; repair the file with its recorder or upload it again.',
    )
  }
  if (looksLikeMedia(head) && !stderr.includes('not on whitelist')) {
    return new InputError(
      'media_corrupt',
      `${name} begins like a recording, but its header is damaged; upload it again.`,
    )
  }
  return new InputError(
    'input_unsupported',
    `${name} is not an audio or video recording that can be read; upload wav, mp3, m4a, mp4, ` +
      'webm, ogg or flac.',
  )
}

function read(answer: FfprobeAnswer, name: string, head: Uint8Array): ProbedMedia {
  const streams = answer.streams ?? []
  const hasVideo = streams.some(
    (stream) => stream.codec_type === 'video' && stream.disposition?.attached_pic !== 1,
  )
  const audio = streams.find((stream) => stream.codec_type === 'audio')
  if (!audio) {
    throw new InputError(
      'no_audio_stream',
      `${name} has no audio track; check that the recorder captured the sound.`,
    )
  }
  const channels = audio.channels ?? 0
  const sampleRate = Number(audio.sample_rate ?? 0)
  if (channels < 1 || !(sampleRate > 0) || (audio.codec_name ?? 'unknown') === 'unknown') {
    throw new InputError(
      'media_corrupt',
      `The audio track of ${name} can't be understood (codec ${audio.codec_name ?? 'unknown'}); ` +
        'convert it to wav, mp3, m4a, webm, ogg or flac, or upload it again.',
    )
  }
  const formatName = answer.format?.format_name ?? 'unknown'
  const majorBrand = answer.format?.tags?.major_brand ?? null
  return {
    container: containerName({ name: formatName, majorBrand }, head),
    codec: audio.codec_name ?? 'unknown',
    sampleRate,
    channels,
    channelsPlaced: channels <= 2 || (audio.channel_layout ?? '') !== '',
    headerMs: headerMs(answer, audio, hasVideo),
    hasVideo,
    audioFromMs:
      audio.start_time === undefined
        ? null
        : Math.max(0, startMs(audio.start_time) - startMs(answer.format?.start_time)),
  }
}

function headerMs(answer: FfprobeAnswer, audio: FfprobeStream, hasVideo: boolean): number | null {
  if (!STATES_DURATION.test(answer.format?.format_name ?? '')) return null
  const ofTrack = secondsToMs(audio.duration)
  if (ofTrack !== null) return ofTrack
  // Matroska states the end of its track, and may begin later than 0.
  const endMs = clockToMs(audio.tags?.DURATION)
  if (endMs !== null) return endMs - startMs(answer.format?.start_time)
  // The length of a file with video may differ from the length of its audio, so it isn't used.
  return hasVideo ? null : secondsToMs(answer.format?.duration)
}

/** A start time in seconds as ms; 0 where it is missing. */
function startMs(text: string | undefined): number {
  const seconds = Number(text ?? 0)
  return Number.isFinite(seconds) ? seconds * 1000 : 0
}

function secondsToMs(text: string | undefined): number | null {
  const seconds = Number(text ?? Number.NaN)
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : null
}

/** Parses `00:01:02.345000000`, the form of Matroska's statistics tags, to ms. */
function clockToMs(text: string | undefined): number | null {
  const match = /^(\d+):(\d\d):(\d\d(?:\.\d+)?)$/.exec(text ?? '')
  if (!match) return null
  const ms = (Number(match[1]) * 3600 + Number(match[2]) * 60 + Number(match[3])) * 1000
  return ms > 0 ? ms : null
}
