import { SAMPLE_BYTES, SAMPLE_RATE, STEP_SAMPLES } from '../model/pcm.js'
import type { EngineAddress, SessionAudio } from '../realtime/index.js'
import type { SessionMeter, SessionRunner } from '../realtime/run-session.js'

/** Audio of a warm-up: enough that an engine computes some thirty steps. */
const WARM_UP_SAMPLES = SAMPLE_RATE
/** The first step after a start compiles what the GPU runs: vLLM's own tests allow ten minutes. */
const FIRST_STEP_MS_MAX = 600_000
const CREATED_MS_MAX = 30_000

/** What is warmed up. */
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
 * Sends one second of silence through an engine to its `done`, as the only way to know that it
 * works: a start that isn't over, and a deadlock, are healthy to the engine itself.
 *
 * The session holds a handful of KV blocks that no lease stands for, and holds them for a second.
 *
 * @returns whether the engine counted its steps as vLLM does: else no times can be exact
 * @throws as a session does, when the engine doesn't come to the end; the signal's reason
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
      mayEndShort: true, // that is how we learn of builds without right padding
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
