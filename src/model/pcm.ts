/**
 * The one audio format inside: 16 kHz, mono per lane, signed 16 bit little endian. The engine works
 * in steps of 80 ms, one token each.
 */

/** Samples per second. */
export const SAMPLE_RATE = 16_000
/** Bytes of one mono sample. */
export const SAMPLE_BYTES = 2
/** One step of the model, which is also one frame on the wire. */
export const STEP_MS = 80
/** Samples of one step. */
export const STEP_SAMPLES = 1280
/** PCM bytes of one step, which is one frame on the wire. */
export const FRAME_BYTES = STEP_SAMPLES * SAMPLE_BYTES
/** Mono PCM bytes of one second. */
export const PCM_BYTES_PER_SECOND = SAMPLE_RATE * SAMPLE_BYTES

/** Length in ms of a number of mono samples. */
export function samplesToMs(samples: number): number {
  return (samples * 1000) / SAMPLE_RATE
}

/** Whole samples in a duration in ms, rounded down. */
export function msToSamples(durationMs: number): number {
  return Math.floor((durationMs * SAMPLE_RATE) / 1000)
}
