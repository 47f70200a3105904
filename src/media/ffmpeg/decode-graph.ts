import { SAMPLE_RATE } from '../../model/pcm.js'

/** Name of the graph output that becomes the PCM. */
export const PCM_LABEL = '[pcm]'
/** Name of the graph output that becomes the FLAC. */
export const FLAC_LABEL = '[flac]'

/** Seconds; a first timestamp below this is the codec's own delay. */
const DELAY_MAX = 0.1
/** Seconds at the beginning of a recording that may be too damaged to be decoded. */
const LOST_MAX = 10

/**
 * Puts the audio on the timeline of its timestamps. A gap in them (discontinuous transmission, a
 * lost packet, sound that begins after the picture) becomes silence, so that every later word has
 * its true time. Audio whose timestamps go back is appended to the audio before it: the resampler
 * would drop it, and its words. A first timestamp below 100 ms is the codec's own delay and is
 * subtracted.
 *
 * Where the rate or the channels change within the file, ffmpeg builds the graph again and its
 * state is lost: N is 0 long after the start of the audio. The audio is then appended to the audio
 * before it. In another rate (SR) than the file's first one timestamps are ignored, because
 * demuxers go on to count them in the first rate.
 */
function trueTimeline({ sampleRate, audioFromMs }: TimelinePlan): string {
  const late = `if(eq(SR,${sampleRate}),${LOST_MAX},${DELAY_MAX})`
  const isAnew = audioFromMs === null ? '0' : `gt(PTS,SR*(${audioFromMs / 1000}+${late}))`
  const isDelay = `lt(PTS,SR*${DELAY_MAX})`
  return [
    'asettb=1/sr',
    'asetpts=' +
      `'if(eq(N,0),st(3,${isAnew}));` +
      `if(eq(N,0),st(2,if(ld(3)+${isDelay},PTS,0)));` +
      `st(1,if(ld(3)*not(eq(SR,${sampleRate})),ld(0),max(PTS-ld(2),ld(0))));` +
      "st(0,ld(1)+NB_SAMPLES);ld(1)'",
  ].join(',')
}

const RESAMPLE = `aresample=${SAMPLE_RATE}:async=1:first_pts=0`

/** The start of a recording's audio, and its sample rate in Hz. */
export interface TimelinePlan {
  sampleRate: number
  /** How long after the start of the file its audio begins, in ms; null where unknown. */
  audioFromMs: number | null
}

/** The channels of a recording, and the lanes that they are decoded to. */
export interface ChannelPlan {
  channels: number
  /** False where the file names no positions (left, right) for its channels. */
  channelsPlaced: boolean
  /** 1 for a mix, `channels` for one lane per channel. */
  lanes: number
}

/**
 * The filter graph that turns the first audio track into 16 kHz samples of 16 bit, its lanes
 * interleaved, in `[pcm]` and, where `flac` is set, the same samples in `[flac]`. Pure.
 */
export function recordingGraph(
  plan: ChannelPlan & TimelinePlan,
  outputs: { flac: boolean },
): string {
  const chain = [trueTimeline(plan), ...panOf(plan), RESAMPLE, formatOf(plan.lanes)].join(',')
  return `[0:a:0]${chain}${outputs.flac ? `,asplit=2${PCM_LABEL}${FLAC_LABEL}` : PCM_LABEL}`
}

/** The filter graph that takes one lane, its samples unchanged, out of a job's `audio.flac`. */
export function laneGraph(lane: number): string {
  return `[0:a:0]pan=mono|c0=c${lane},aformat=sample_fmts=s16${PCM_LABEL}`
}

/** The format that the resampler converts to: rate, sample format and channels in one pass. */
function formatOf(lanes: number): string {
  if (lanes === 1) return 'aformat=sample_fmts=s16:channel_layouts=mono'
  // Fixed, because a file whose channel count changes would shift the lanes of the interleaved PCM.
  if (lanes === 2) return 'aformat=sample_fmts=s16:channel_layouts=stereo'
  return 'aformat=sample_fmts=s16'
}

function panOf({ channels, channelsPlaced, lanes }: ChannelPlan): string[] {
  const each = Array.from({ length: channels }, (_, index) => index)
  if (lanes > 2) return [`pan=${lanes}c|${each.map((index) => `c${index}=c${index}`).join('|')}`]
  if (lanes > 1 || channelsPlaced) return []
  const share = (1 / channels).toFixed(6)
  return [`pan=mono|c0=${each.map((index) => `${share}*c${index}`).join('+')}`]
}
