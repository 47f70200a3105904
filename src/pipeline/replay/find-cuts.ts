import type { CutOption } from '../../admission/legs/cut-option.js'
import type { MsRange } from '../../kernel/ms-range.js'
import { type CutCandidate, cutCandidates } from '../../media/vad/cut-candidates.js'
import { skippableFrames } from '../../media/vad/silence.js'
import { STEP_MS, STEP_SAMPLES, samplesToMs } from '../../model/pcm.js'

/** What the analysis knows of a lane. */
export interface LaneMap {
  pausesMs: readonly MsRange[]
  /** Peak levels, 20 a second; may be empty. */
  peaks: Uint8Array
  /** Length of the whole lane, in samples of 16 kHz. */
  samples: number
}

/** How a lane may be cut. */
export interface CutSettings {
  pauseMinMs: number
  overlapMs: number
  /** Silences longer than this are left out, in ms; null: every silence is replayed. */
  skipSilenceMs: number | null
}

/** The cuts of a lane, and how much of it is replayed. */
export interface FoundCuts {
  /** Where the replay begins: after a long silence at the start, if those are skipped. */
  fromFrame: number
  /** In order of time; the last one is the end of the lane. */
  cuts: readonly CutOption[]
  /** Frames that are replayed, overlaps not counted. */
  frames: number
}

/**
 * A skipped silence within this many frames (2 s) of the start or the end is skipped to that edge:
 * otherwise a leg of 2 s or less would remain there.
 */
const EDGE_FRAMES = 25

/** Approximate time between possible cuts in talk without pauses, in ms. */
const QUIET_EVERY_MS = 10_000

/** Finds all cuts at which a lane may change sessions. Pure. */
export function findCuts(lane: LaneMap, settings: CutSettings): FoundCuts {
  const frameCount = Math.ceil(lane.samples / STEP_SAMPLES)
  const { pausesMs, peaks } = lane
  const durationMs = samplesToMs(lane.samples)
  const skips = skippableFrames(pausesMs, settings.skipSilenceMs)
  const tail = skips.find(([, end]) => end >= frameCount - EDGE_FRAMES)
  // In a lane that is all silence the one skip counts as the tail: skipped at both ends, the lane
  // would have no frame left.
  const lead = skips.find((skip) => skip !== tail && skip[0] <= EDGE_FRAMES)
  const fromFrame = lead ? lead[1] : 0
  const endFrame = tail ? tail[0] : frameCount
  const inner = skips.filter((skip) => skip !== lead && skip !== tail)
  const overlapFrames = Math.round(settings.overlapMs / STEP_MS)
  const options = { pauseMinMs: settings.pauseMinMs, everyMs: QUIET_EVERY_MS }
  const cuts: CutOption[] = []
  const candidates = cutCandidates({ pausesMs, peaks, durationMs }, options)
  for (const [at, { atFrame, kind }] of candidates.entries()) {
    const until = kind === 'quiet' ? atFrame + overlapFrames : atFrame
    const isInside = atFrame > fromFrame && until < endFrame
    if (!isInside || inner.some(([start, end]) => until >= start && atFrame <= end)) continue
    // A pause within the overlap is the better cut: no word is split there.
    if (kind === 'quiet' && isPauseNear(candidates, at, until)) continue
    cuts.push({ endFrame: until, nextFrame: atFrame, kind })
  }
  for (const [start, end] of inner) cuts.push({ endFrame: start, nextFrame: end, kind: 'skip' })
  cuts.sort((one, other) => one.endFrame - other.endFrame)
  cuts.push({ endFrame, nextFrame: endFrame, kind: 'end' })
  const skipped = inner.reduce((sum, [start, end]) => sum + end - start, 0)
  return { fromFrame, cuts, frames: endFrame - fromFrame - skipped }
}

/** Whether a pause comes after a candidate, up to and including a frame. */
function isPauseNear(candidates: readonly CutCandidate[], at: number, untilFrame: number): boolean {
  for (let later = at + 1; later < candidates.length; later += 1) {
    const { atFrame, kind } = candidates[later] as CutCandidate
    if (atFrame > untilFrame) return false
    if (kind === 'pause') return true
  }
  return false
}
