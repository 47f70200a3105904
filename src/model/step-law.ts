import { STEP_MS, STEP_SAMPLES } from './pcm.js'

/**
 * How many token steps a length of audio gives in a vLLM Realtime session, and how far its text is
 * behind. Measured on vLLM 0.32, exact to the sample; client, stand-in and tests all use these
 * functions. The model's delay is a setting of the node that serves it, so what follows from the
 * delay is a function of it, no constant.
 */

/** The model's default delay of the text behind the audio. */
export const MODEL_DELAY_MS = 480
/** Samples after the end of a step that the engine needs to compute it (2.5 ms). */
export const LOOK_AHEAD_SAMPLES = 40
/** Tokens of a prompt besides those of the delay: BOS and 32 of left padding. */
const PADDING_TOKENS = 33
/** Steps of right padding at the end of the audio, besides those of the delay. */
const RIGHT_PADDING_STEPS = 11

/** Steps by which the text is behind the audio: 6 at 480 ms. */
export function delaySteps(delayMs = MODEL_DELAY_MS): number {
  return Math.round(delayMs / STEP_MS)
}

/** Steps of audio that must have been sent before the first delta can come: 7 at 480 ms. */
export function stepsToFirstDelta(delayMs = MODEL_DELAY_MS): number {
  return delaySteps(delayMs) + 1
}

/** Tokens of a session before its first delta: 39 at 480 ms. */
export function promptTokens(delayMs = MODEL_DELAY_MS): number {
  return PADDING_TOKENS + delaySteps(delayMs)
}

/** Deltas that follow the last audio once final was committed: 17 at 480 ms, which is 1.36 s. */
export function tailSteps(delayMs = MODEL_DELAY_MS): number {
  return delaySteps(delayMs) + RIGHT_PADDING_STEPS
}

/** Deltas that can come for a number of appended samples, before final is committed. */
export function deltasDue(samples: number): number {
  return Math.max(0, Math.floor((samples - LOOK_AHEAD_SAMPLES) / STEP_SAMPLES) - delaySteps())
}

/** Deltas, and so `usage.completion_tokens`, of a whole utterance; 0 for no audio at all. */
export function deltasTotal(samples: number): number {
  if (samples === 0) return 0
  return Math.floor((samples - LOOK_AHEAD_SAMPLES) / STEP_SAMPLES) + RIGHT_PADDING_STEPS
}

/** Samples that must have been appended before delta `index` (0-based) can come. */
export function samplesForDelta(index: number): number {
  return (stepsToFirstDelta() + index) * STEP_SAMPLES + LOOK_AHEAD_SAMPLES
}

/**
 * How far, in ms, the engine is behind the audio it has: `audioSentMs − (7 + deltas) × 80`, not
 * below 0.
 */
export function lagMs(audioSentMs: number, deltas: number): number {
  return Math.max(0, audioSentMs - (stepsToFirstDelta() + deltas) * STEP_MS)
}
