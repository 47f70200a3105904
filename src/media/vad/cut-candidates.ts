import type { MsRange } from '../../kernel/ms-range.js'
import { STEP_MS } from '../../model/pcm.js'
import { PEAKS_PER_SECOND } from '../index.js'

/** A place where a lane may be cut into legs. */
export interface CutCandidate {
  /** 0-based index, in frames of 80 ms, of the first frame of the next leg; never 0. */
  readonly atFrame: number
  /** `quiet`: in the middle of talk, so both legs should hear what lies around it. */
  readonly kind: 'pause' | 'quiet'
}

/** What of a lane decides where it may be cut. */
export interface CuttableLane {
  /** Stretches without speech, sorted, without overlaps. */
  readonly pausesMs: readonly MsRange[]
  /** Absolute peak of every 50 ms; where they are missing the lane counts as evenly loud. */
  readonly peaks: Uint8Array
  /** Length of the decoded audio, in ms. */
  readonly durationMs: number
}

/** How cuts are looked for. */
export interface CutOptions {
  /** Shorter pauses are not cut: at 400 ms both words around the cut are recognized whole. */
  readonly pauseMinMs: number
  /** Talk that goes on for longer without a pause has a quiet point in every window of this. */
  readonly everyMs: number
}

const DEFAULTS: CutOptions = { pauseMinMs: 400, everyMs: 10_000 }
/** A long pause may be cut at its middle and every so often from there to its edges. */
const PAUSE_CUTS_MS = 2_000
/** No cut is closer to speech, as far as the pause is long enough for that. */
const PAUSE_EDGE_MS = 200
/** A quiet point is the middle of a window of twice this length. */
const QUIET_HALF_MS = 80
/**
 * Share of a window that is left out at both its ends, so that two quiet points never stand side by
 * side and none at the edge of a pause, which is the better place.
 */
const WINDOW_EDGE_SHARE = 1 / 8
const PEAK_MS = 1000 / PEAKS_PER_SECOND

/**
 * Where a lane may be cut, in order and no place twice: in the middle of pauses, in long pauses at
 * further places as well, and in talk that goes on for longer than `everyMs` at its quietest 160
 * ms, judged by the mean of the peaks. Pure; the time it takes grows with the length of the lane
 * (12 hours: some 30 ms).
 */
export function cutCandidates(lane: CuttableLane, options: CutOptions = DEFAULTS): CutCandidate[] {
  const { durationMs } = lane
  const loudness = loudnessOf(lane.peaks)
  const pauses = lane.pausesMs.filter(([from, to]) => to - from >= options.pauseMinMs)
  const frames: [atFrame: number, kind: CutCandidate['kind']][] = []
  let talkFromMs = 0
  for (const pause of [...pauses, null]) {
    const talk: MsRange = [talkFromMs, pause?.[0] ?? durationMs]
    for (const atFrame of quietFrames(talk, options.everyMs, loudness)) {
      frames.push([atFrame, 'quiet'])
    }
    if (!pause) break
    for (const atFrame of pauseFrames(pause)) frames.push([atFrame, 'pause'])
    talkFromMs = pause[1]
  }
  const candidates: CutCandidate[] = []
  let lastFrame = 0
  for (const [atFrame, kind] of frames) {
    if (atFrame <= lastFrame || atFrame * STEP_MS >= durationMs) continue
    candidates.push({ atFrame, kind })
    lastFrame = atFrame
  }
  return candidates
}

/** The middle of a pause, and in steps from there whatever keeps clear of its edges. */
function pauseFrames([fromMs, toMs]: MsRange): number[] {
  const middleMs = (fromMs + toMs) / 2
  const steps = Math.max(0, Math.floor((middleMs - fromMs - PAUSE_EDGE_MS) / PAUSE_CUTS_MS))
  return Array.from({ length: 2 * steps + 1 }, (_, index) =>
    Math.round((middleMs + (index - steps) * PAUSE_CUTS_MS) / STEP_MS),
  )
}

/** The quietest place of each window of unbroken talk; of equal ones the nearest its middle. */
function quietFrames(
  [fromMs, toMs]: MsRange,
  everyMs: number,
  loudness: (fromMs: number, toMs: number) => number,
): number[] {
  if (toMs - fromMs <= everyMs) return []
  const windows = Math.ceil((toMs - fromMs) / everyMs)
  const windowMs = (toMs - fromMs) / windows
  return Array.from({ length: windows }, (_, window) => {
    const middleMs = fromMs + (window + 0.5) * windowMs
    const reachMs = windowMs * (0.5 - WINDOW_EDGE_SHARE)
    const middleFrame = Math.round(middleMs / STEP_MS)
    let quietest = { atFrame: middleFrame, loudness: Number.POSITIVE_INFINITY }
    for (let step = 0; step * STEP_MS <= reachMs; step += 1) {
      for (const atFrame of step === 0 ? [middleFrame] : [middleFrame - step, middleFrame + step]) {
        const atMs = atFrame * STEP_MS
        const heard = loudness(atMs - QUIET_HALF_MS, atMs + QUIET_HALF_MS)
        if (heard < quietest.loudness) quietest = { atFrame, loudness: heard }
      }
    }
    return quietest.atFrame
  })
}

/**
 * Sums of peaks over spans of time, each peak times the ms that it is within: whole numbers for
 * whole ms, so that what is equally loud compares as equal.
 */
function loudnessOf(peaks: Uint8Array): (fromMs: number, toMs: number) => number {
  const sums = new Float64Array(peaks.length + 1)
  for (let index = 0; index < peaks.length; index += 1) {
    sums[index + 1] = (sums[index] as number) + (peaks[index] as number) * PEAK_MS
  }
  const until = (timeMs: number) => {
    const whole = Math.min(peaks.length, Math.max(0, Math.floor(timeMs / PEAK_MS)))
    const restMs = Math.max(0, timeMs - whole * PEAK_MS)
    return (sums[whole] as number) + (peaks[whole] ?? 0) * restMs
  }
  return (fromMs, toMs) => until(toMs) - until(fromMs)
}
