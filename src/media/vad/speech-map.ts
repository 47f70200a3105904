import type { MsRange } from '../../kernel/ms-range.js'
import { samplesToMs } from '../../model/pcm.js'

/** Samples of one window of voice activity: 32 ms. */
export const VAD_WINDOW_SAMPLES = 512

/** Bounds, in ms, by which windows are joined into segments and pauses. */
export interface SpeechBounds {
  /** Speech below this is no segment. */
  speechMinMs: number
  /** A gap below this belongs to the speech around it. */
  silenceMinMs: number
  /** Silence below this is no pause. */
  pauseMinMs: number
}

/** Speech and pauses of one lane. */
export interface SpeechMap {
  segmentsMs: MsRange[]
  speechMs: number
  pausesMs: MsRange[]
}

/**
 * Makes segments of speech and pauses from one byte for each window (0: silence). Pure.
 *
 * Speech below `speechMinMs` is no segment, but it ends a pause: it may be a short word, and lanes
 * are cut in the middle of pauses. So there may be time that is in neither a pause nor a segment.
 *
 * @param samples length of the lane; segments never reach beyond it
 */
export function speechMap(mask: Uint8Array, samples: number, bounds: SpeechBounds): SpeechMap {
  const durationMs = Math.round(samplesToMs(samples))
  const speech = joined(speechOf(mask, durationMs), bounds.silenceMinMs)
  const segmentsMs = speech.filter(([from, to]) => to - from >= bounds.speechMinMs)
  return {
    segmentsMs,
    speechMs: segmentsMs.reduce((sum, [from, to]) => sum + to - from, 0),
    pausesMs: gapsOf(speech, durationMs).filter(([from, to]) => to - from >= bounds.pauseMinMs),
  }
}

function speechOf(mask: Uint8Array, durationMs: number): MsRange[] {
  const windowMs = samplesToMs(VAD_WINDOW_SAMPLES)
  const speech: MsRange[] = []
  for (let from = mask.findIndex(Boolean); from >= 0; ) {
    const silent = mask.indexOf(0, from)
    const to = silent < 0 ? mask.length : silent
    const toMs = Math.min(durationMs, to * windowMs)
    if (toMs > from * windowMs) speech.push([from * windowMs, toMs])
    const next = mask.subarray(to).findIndex(Boolean)
    from = next < 0 ? -1 : to + next
  }
  return speech
}

function joined(speech: readonly MsRange[], silenceMinMs: number): MsRange[] {
  const result: MsRange[] = []
  for (const range of speech) {
    const last = result.at(-1)
    if (last && range[0] - last[1] < silenceMinMs) {
      result[result.length - 1] = [last[0], range[1]]
    } else result.push(range)
  }
  return result
}

function gapsOf(speech: readonly MsRange[], durationMs: number): MsRange[] {
  const edges: MsRange[] = [[0, 0], ...speech, [durationMs, durationMs]]
  return edges.slice(1).map((after, index) => [(edges[index] as MsRange)[1], after[0]])
}
