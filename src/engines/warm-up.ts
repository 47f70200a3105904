import { SAMPLE_BYTES, SAMPLE_RATE, STEP_SAMPLES } from '../model/pcm.js'
import type { EngineAddress, SessionAudio } from '../realtime/index.js'
import type { SessionMeter, SessionRunner } from '../realtime/run-session.js'

/** Audio of a warm-up, one second: the engine computes some 23 steps for it. */
const WARM_UP_SAMPLES = SAMPLE_RATE
/** The first step after a start compiles the GPU's programs: vLLM's own tests allow 10 minutes. */
const FIRST_STEP_MS_MAX = 600_000
const CREATED_MS_MAX = 30_000

/** An engine to warm up, and the model that it serves. */
export interface ColdEngine {
  engine: EngineAddress
  model: string
  deltaDelayMs: number
}

const SILENT_METER: SessionMeter = {
  connected() {},
  frameSent() {},
  deltaReceived() {},
  held() {},
  finished() {},
}

/**
 * Sends one second of silence through an engine, to its `done`. Nothing else shows that an engine
 * works: one that is still starting, or deadlocked, reports itself healthy.
 *
 * The session holds a handful of KV blocks for about a second, for which there is no lease.
 *
 * @returns whether the engine's number of deltas is the one of vLLM: if not, the times of words
 *   can't be exact
 * @throws the error of the session, when the engine doesn't complete it; the signal's reason
 */
export async function warmUp(
  runSession: SessionRunner,
  { engine, model, deltaDelayMs }: ColdEngine,
  { signal }: { signal: AbortSignal },
): Promise<{ verified: boolean }> {
  const { verified } = await runSession(
    {
      engine,
      model,
      audio: silence(WARM_UP_SAMPLES),
      pace: 'max',
      permission: null,
      isExcused: () => false,
      leg: 0,
      legStartMs: 0,
      limits: {
        createdTimeoutMs: CREATED_MS_MAX,
        stallTimeoutMs: FIRST_STEP_MS_MAX,
        doneTimeoutMs: FIRST_STEP_MS_MAX,
        blankSpeechMaxMs: null,
        deltaDelayMs,
      },
      mayEndShort: true, // a build without right padding is reported as not verified, no error
      lagMaxMs: FIRST_STEP_MS_MAX,
      speechAt: () => false,
      meter: SILENT_METER,
      onGroup() {},
      onProgress() {},
    },
    { signal },
  )
  return { verified }
}

function silence(samples: number): SessionAudio {
  return {
    async *frames() {
      for (let left = samples; left > 0; left -= STEP_SAMPLES) {
        yield new Uint8Array(Math.min(left, STEP_SAMPLES) * SAMPLE_BYTES)
      }
    },
  }
}
