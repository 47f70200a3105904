import type { MsRange } from '../../kernel/ms-range.js'
import { samplesToMs } from '../../model/pcm.js'

/** Samples of one window of voice activity: 32 ms. */
export const VAD_WINDOW_SAMPLES = 512

/** Bounds in ms that turn windows into segments and pauses. */
export interface SpeechBounds {
  /** Shorter speech is no segment. */
  speechMinMs: number
  /** Shorter gaps belong to the speech around them. */
  silenceMinMs: number
  /** Shorter silence is no pause. */
  pauseMinMs: number
}

/** Speech and pauses of one lane. */
export interface SpeechMap {
  segmentsMs: MsRange[]
  speechMs: number
  pausesMs: MsRange[]
}

/**
 * Stretches of speech and of pause out of one byte a window (0: silence). Pure.
 *
 * Speech below `speechMinMs` is no segment, yet it ends a pause: it may be a short word, and
 * recordings are cut in the middle of pauses. So pauses and segments need not touch.
 *
 * @param samples length of the lane; segments never reach beyond it
 */
export function speechMap(mask: Uint8Array, samples: number, bounds: SpeechBounds): SpeechMap {
  const durationMs = Math.round(samplesToMs(samples))
  const stretches = joined(stretchesOf(mask, durationMs), bounds.silenceMinMs)
  const segmentsMs = stretches.filter(([from, to]) => to - from >= bounds.speechMinMs)
  return {
    segmentsMs,
    speechMs: segmentsMs.reduce((sum, [from, to]) => sum + to - from, 0),
    pausesMs: gapsOf(stretches, durationMs).filter(([from, to]) => to - from >= bounds.pauseMinMs),
  }
}

function stretchesOf(mask: Uint8Array, durationMs: number): MsRange[] {
  const windowMs = samplesToMs(VAD_WINDOW_SAMPLES)
  const stretches: MsRange[] = []
  for (let from = mask.findIndex(Boolean); from >= 0; ) {
    const silent = mask.indexOf(0, from)
    const to = silent < 0 ? mask.length : silent
    const toMs = Math.min(durationMs, to * windowMs)
    if (toMs > from * windowMs) stretches.push([from * windowMs, toMs])
    const next = mask.subarray(to).findIndex(Boolean)
    from = next < 0 ? -1 : to + next
  }
  return stretches
}

function joined(stretches: readonly MsRange[], silenceMinMs: number): MsRange[] {
  const result: MsRange[] = []
  for (const stretch of stretches) {
    const last = result.at(-1)
    if (last && stretch[0] - last[1] < silenceMinMs) {
      result[result.length - 1] = [last[0], stretch[1]]
    } else result.push(stretch)
  }
  return result
}

function gapsOf(stretches: readonly MsRange[], durationMs: number): MsRange[] {
  const edges: MsRange[] = [[0, 0], ...stretches, [durationMs, durationMs]]
  return edges.slice(1).map((after, index) => [(edges[index] as MsRange)[1], after[0]])
}
