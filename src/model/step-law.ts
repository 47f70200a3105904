import { STEP_MS, STEP_SAMPLES } from './pcm.js'

/**
 * How many token steps a stretch of audio gives in a vLLM Realtime session at the model's default
 * delay of 480 ms. Seen on vLLM 0.32 to the sample; client, stand-in and tests all use these.
 */

/** Steps by which the model's text is behind the audio: 480 ms. */
export const DELAY_STEPS = 6
/** Prompt tokens of a session: BOS, 32 of left padding, the delay. */
export const PROMPT_TOKENS = 33 + DELAY_STEPS
/** Samples beyond a step's end that its window looks ahead (2.5 ms). */
export const LOOK_AHEAD_SAMPLES = 40
/** Deltas that follow the last audio once final was committed: right padding of 1.36 s. */
export const TAIL_STEPS = DELAY_STEPS + 11

/** Deltas that so many appended samples allow before final is committed. */
export function deltasDue(samples: number): number {
  return Math.max(0, Math.floor((samples - LOOK_AHEAD_SAMPLES) / STEP_SAMPLES) - DELAY_STEPS)
}

/** Deltas, and so `usage.completion_tokens`, of a whole utterance; 0 for no audio at all. */
export function deltasTotal(samples: number): number {
  if (samples === 0) return 0
  return Math.floor((samples - LOOK_AHEAD_SAMPLES) / STEP_SAMPLES) + 11
}

/** Samples that must have been appended before delta `index` (0-based) can come. */
export function samplesForDelta(index: number): number {
  return (DELAY_STEPS + 1 + index) * STEP_SAMPLES + LOOK_AHEAD_SAMPLES
}

/**
 * How far the engine is behind the audio it has: `audioSentMs − (7 + deltas) × 80`, not below 0.
 */
export function lagMs(audioSentMs: number, deltas: number): number {
  return Math.max(0, audioSentMs - (DELAY_STEPS + 1 + deltas) * STEP_MS)
}
