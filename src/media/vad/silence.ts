import type { MsRange } from '../../kernel/ms-range.js'
import { STEP_MS } from '../../model/pcm.js'

/**
 * Silence, in ms, that is still replayed at both ends of a skipped one: a voice detector finds the
 * edges of speech late, and a session needs the steps after a word to write it.
 */
export const SILENCE_MARGIN_MS = 1_000

/**
 * The parts of a lane that need not be replayed: every pause longer than `skipSilenceMs`, less 1 s
 * at both its ends. That margin also stays at the start and the end of the recording, so that even
 * a silent recording has frames to replay. Pure.
 *
 * @param pausesMs sorted, without overlaps
 * @param skipSilenceMs null skips nothing
 * @returns `[startFrame, endFrame)` in frames of 80 ms, sorted, none empty
 */
export function skippableFrames(
  pausesMs: readonly MsRange[],
  skipSilenceMs: number | null,
): (readonly [startFrame: number, endFrame: number])[] {
  if (skipSilenceMs === null) return []
  return pausesMs
    .filter(([fromMs, toMs]) => toMs - fromMs > skipSilenceMs)
    .map(([fromMs, toMs]) => {
      const startFrame = Math.ceil((fromMs + SILENCE_MARGIN_MS) / STEP_MS)
      const endFrame = Math.floor((toMs - SILENCE_MARGIN_MS) / STEP_MS)
      return [startFrame, endFrame] as const
    })
    .filter(([startFrame, endFrame]) => startFrame < endFrame)
}
