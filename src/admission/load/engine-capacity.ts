import { ConfigError } from '../../kernel/errors.js'
import type { LegCurve } from '../../model/leg-curve.js'
import { STEP_MS } from '../../model/pcm.js'
import { promptTokens, tailSteps } from '../../model/step-law.js'

/** Share of `max_model_len` that a leg may take: vLLM before 0.32 dies when one reaches it. */
const CONTEXT_SHARE = 0.8
/** Time in which both sessions of a change of legs are open: opening, tail, and some grace. */
const CHANGE_OVER_MS = 2_000

/** What is known of an engine's KV cache, and how much of it may be used. */
export interface CapacityFacts {
  /** Address of the engine, for errors. */
  readonly engine: string
  /** `num_gpu_blocks` as the server tells it; null where it doesn't. */
  readonly kvBlocksTotal: number | null
  /** The setting `engine.gpu` and the blocks that sessions can hold on it; null: not set. */
  readonly gpu: { readonly name: string; readonly kvBlocks: number } | null
  /** The setting `admission.safetyFactor`. */
  readonly safetyFactor: number
  /** The setting `admission.liveShare`. */
  readonly liveShare: number
}

/** How many KV blocks of an engine are given out, and to whom. */
export interface EngineCapacity {
  /** Whether the server told the number of blocks, or the GPU's profile. */
  readonly source: 'server' | 'profile'
  /** All blocks that sessions can hold; when all are held, the engine is deadlocked. */
  readonly kvBlocksUsable: number
  /** Blocks for recordings. */
  readonly kvBlocksBatch: number
  /** Blocks kept for live sessions. */
  readonly kvBlocksLive: number
  /** How the numbers were computed, for people. */
  readonly reason: string
}

/**
 * How much of an engine's KV cache may be given out. The server's own number comes first, because
 * it is exact; where the server tells none, the GPU's profile has an estimate.
 *
 * @throws ConfigError `config_invalid` naming `engine.gpu` when neither is known
 */
export function engineCapacity(facts: CapacityFacts): EngineCapacity {
  const { engine, kvBlocksTotal, gpu, safetyFactor, liveShare } = facts
  const source = kvBlocksTotal !== null ? 'server' : 'profile'
  // One block is vLLM's own: no session can hold it.
  const kvBlocksUsable = kvBlocksTotal !== null ? kvBlocksTotal - 1 : (gpu?.kvBlocks ?? null)
  if (kvBlocksUsable === null) {
    throw new ConfigError(
      'config_invalid',
      `The engine at ${engine} doesn't tell how many KV blocks it has; set engine.gpu (NIGHTSCRIBE_ENGINE_GPU) to the profile of its GPU.`,
      { facts: { engine } },
    )
  }
  const given = Math.floor(kvBlocksUsable * safetyFactor)
  const kvBlocksLive = Math.floor(given * liveShare)
  const kvBlocksBatch = given - kvBlocksLive
  const told = source === 'server' ? 'told by the server' : `by the GPU profile ${gpu?.name}`
  const live = kvBlocksLive > 0 ? `, ${kvBlocksLive} of them kept for live sessions` : ''
  return {
    source,
    kvBlocksUsable,
    kvBlocksBatch,
    kvBlocksLive,
    reason: `${kvBlocksUsable} KV blocks (${told}), ${given} given out${live}`,
  }
}

/**
 * The longest leg, in frames, that an engine's `max_model_len` allows: prompt, audio and tail
 * together take 0.8 of it. 0 or less where prompt and tail alone are more.
 */
export function legFramesByContext(maxModelLen: number): number {
  return Math.floor(CONTEXT_SHARE * maxModelLen) - promptTokens() - tailSteps()
}

/**
 * Refuses an engine whose `max_model_len` is too small for the shortest leg.
 * @throws ConfigError `config_invalid` naming the engine, `legs.floorMs` and vLLM's own option
 */
export function requireContext(
  engine: string,
  options: { maxModelLen: number | null; floorMs: number },
): void {
  const { maxModelLen, floorMs } = options
  if (maxModelLen === null) return
  const floorFrames = Math.ceil(floorMs / STEP_MS)
  const frames = legFramesByContext(maxModelLen)
  if (frames >= floorFrames) return
  const needed = Math.ceil((floorFrames + promptTokens() + tailSteps()) / CONTEXT_SHARE)
  const most = frames > 0 ? `at most ${frames * STEP_MS} ms of audio` : 'no audio'
  throw new ConfigError(
    'config_invalid',
    `The engine at ${engine} has a max_model_len of ${maxModelLen} tokens, enough for ${most} in a session; start it with --max-model-len ${needed} or more, or lower legs.floorMs (${floorMs}).`,
    { facts: { engine, maxModelLen, floorMs } },
  )
}

/**
 * About how many endless recordings an engine's KV cache has room for, with legs of equal length
 * whose cuts are spread evenly. Both sessions of a change of legs are counted for 2 s.
 *
 * @param legMs length of a leg; null: one session without end, counted with the most it ever holds
 */
export function alwaysOnSessions(curve: LegCurve, kvBlocks: number, legMs: number | null): number {
  const legFrames = legMs === null ? Number.POSITIVE_INFINITY : Math.round(legMs / STEP_MS)
  const peak = curve.peakBlocks(legFrames)
  if (legMs === null) return Math.floor(kvBlocks / peak)
  const changeFrames = CHANGE_OVER_MS / STEP_MS
  const meanBlocks = (curve.sumUntil(legFrames) + changeFrames * peak) / legFrames
  return Math.floor(kvBlocks / meanBlocks)
}
