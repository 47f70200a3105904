import { SAMPLE_RATE } from '../../model/pcm.js'

/** Output labels of the graphs below. */
export const PCM_LABEL = '[pcm]'
/** Name of the graph output that becomes the FLAC. */
export const FLAC_LABEL = '[flac]'

/** Seconds; a first timestamp up to this is the codec's own delay. */
const DELAY_MAX = 0.1
/** Seconds at the beginning that may be too damaged to be decoded. */
const LOST_MAX = 10

/**
 * Puts the audio on the timeline of its timestamps: a gap in them (discontinuous transmission, a
 * lost packet, sound that begins after the picture) becomes silence, so that every later word
 * is at its true time. Audio whose timestamps go back is kept behind what came before, because
 * a resampler left to itself would drop it, and words with it. A first timestamp below 100 ms is
 * the codec's own delay and is taken off.
 *
 * Where the rate or the channels change half-way, ffmpeg builds the graph anew and all of this
 * begins once more: N is 0, much later than where the audio begins. Then what follows comes right
 * behind what came before. In another rate (SR) than the file began with timestamps count for
 * nothing, because demuxers go on to count in the first one.
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

/** Where the audio of a recording begins, and in what rate. */
export interface TimelinePlan {
  sampleRate: number
  /** How long after the start of the file its audio begins, in ms; null when unknown. */
  audioFromMs: number | null
}

/** The channels of a decode: how many there are, and how many lanes come out. */
export interface ChannelPlan {
  channels: number
  /** False when the file doesn't say which channel is where. */
  channelsPlaced: boolean
  /** 1 for a mix, `channels` for a lane each. */
  lanes: number
}

/**
 * The filter graph from the first audio track to 16 kHz samples of 16 bit, `lanes` interleaved, in
 * `[pcm]` and, where wanted, the same samples in `[flac]`. Pure.
 */
export function recordingGraph(
  plan: ChannelPlan & TimelinePlan,
  outputs: { flac: boolean },
): string {
  const chain = [trueTimeline(plan), ...panOf(plan), RESAMPLE, formatOf(plan.lanes)].join(',')
  return `[0:a:0]${chain}${outputs.flac ? `,asplit=2${PCM_LABEL}${FLAC_LABEL}` : PCM_LABEL}`
}

/** The graph that takes one lane, unchanged, out of our own FLAC. */
export function laneGraph(lane: number): string {
  return `[0:a:0]pan=mono|c0=c${lane},aformat=sample_fmts=s16${PCM_LABEL}`
}

/** The resampler converts to this itself: one pass for rate, format and channels. */
function formatOf(lanes: number): string {
  if (lanes === 1) return 'aformat=sample_fmts=s16:channel_layouts=mono'
  // A file whose channel count changes half-way must not shift the lanes of the interleaved PCM.
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
