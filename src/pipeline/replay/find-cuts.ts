import type { CutOption } from '../../admission/legs/cut-option.js'
import type { MsRange } from '../../kernel/ms-range.js'
import { type CutCandidate, cutCandidates } from '../../media/vad/cut-candidates.js'
import { skippableFrames } from '../../media/vad/silence.js'
import { STEP_MS, STEP_SAMPLES, samplesToMs } from '../../model/pcm.js'

/** What is known of a lane before it is replayed. */
export interface LaneMap {
  pausesMs: readonly MsRange[]
  /** 20 a second; may be empty. */
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

/** A lane's way from its first frame to its end. */
export interface FoundCuts {
  /** Where the replay begins: after a long silence at the start, if those are skipped. */
  fromFrame: number
  /** In order; the last one is the end. */
  cuts: readonly CutOption[]
  /** Frames that are replayed, overlaps not counted. */
  frames: number
}

/** A skipped silence this near to an edge of the recording is cut off there: no leg of a second. */
const EDGE_FRAMES = 25

/** Time between possible cuts in unbroken talk, in ms, about. */
const QUIET_EVERY_MS = 10_000

/** All places at which a lane may change sessions. Pure. */
export function findCuts(lane: LaneMap, settings: CutSettings): FoundCuts {
  const frameCount = Math.ceil(lane.samples / STEP_SAMPLES)
  const { pausesMs, peaks } = lane
  const durationMs = samplesToMs(lane.samples)
  const skips = skippableFrames(pausesMs, settings.skipSilenceMs)
  const tail = skips.find(([, end]) => end >= frameCount - EDGE_FRAMES)
  // Of a lane that is all silence the beginning is replayed, not skipped.
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

/** Whether a pause comes after a candidate and not later than a frame. */
function isPauseNear(candidates: readonly CutCandidate[], at: number, untilFrame: number): boolean {
  for (let later = at + 1; later < candidates.length; later += 1) {
    const { atFrame, kind } = candidates[later] as CutCandidate
    if (atFrame > untilFrame) return false
    if (kind === 'pause') return true
  }
  return false
}
