import { promptTokens } from './step-law.js'

/**
 * How many KV blocks a session of one engine holds, as vLLM's own KV cache manager counts them:
 * exact for every step of a session of 21 minutes in both accountings, and for a running 0.32.
 */
export interface KvModel {
  /** Tokens of an encoder block: the label `block_size` of `vllm:cache_config_info`. */
  readonly blockTokens: number
  /** Tokens after which the encoder's blocks are given back: 189, and 750 before vLLM 0.25. */
  readonly encoderWindowTokens: number
  /** The same for the decoder: 8192. */
  readonly decoderWindowTokens: number
  /** A decoder block is so many times as long as an encoder block: 8. */
  readonly decoderBlockRatio: number
}

/** A session that has given `n` deltas has computed `n` tokens more than this: 38 at 480 ms. */
const TOKENS_BEFORE_FIRST_DELTA = promptTokens() - 1

/** Blocks that a session holds after so many deltas; before the first one it holds none. */
export function kvBlocksHeld(model: KvModel, deltas: number): number {
  if (deltas === 0) return 0
  const tokens = TOKENS_BEFORE_FIRST_DELTA + deltas
  const { blockTokens, encoderWindowTokens, decoderWindowTokens, decoderBlockRatio } = model
  const decoderTokens = blockTokens * decoderBlockRatio
  return (
    blocksInWindow(tokens, blockTokens, encoderWindowTokens) +
    blocksInWindow(tokens, decoderTokens, decoderWindowTokens)
  )
}

function blocksInWindow(tokens: number, blockTokens: number, windowTokens: number): number {
  const outside = Math.floor(Math.max(0, tokens - windowTokens) / blockTokens)
  return Math.ceil(tokens / blockTokens) - outside
}

/**
 * The most blocks a session may hold at any moment up to so many deltas: `kvBlocksHeld` as a
 * rising staircase, without the block by which the encoder's part moves up and down as its window
 * slides over block borders. Plans count it from the opening on, where deltas is 0.
 */
export function kvBlocksPlanned(model: KvModel, deltas: number): number {
  const tokens = TOKENS_BEFORE_FIRST_DELTA + deltas
  const { blockTokens, encoderWindowTokens, decoderWindowTokens, decoderBlockRatio } = model
  const decoderTokens = blockTokens * decoderBlockRatio
  return (
    blocksUpTo(tokens, blockTokens, encoderWindowTokens) +
    blocksUpTo(tokens, decoderTokens, decoderWindowTokens)
  )
}

function blocksUpTo(tokens: number, blockTokens: number, windowTokens: number): number {
  return Math.min(Math.ceil(tokens / blockTokens), Math.ceil((windowTokens - 1) / blockTokens) + 1)
}
