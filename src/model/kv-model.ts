import { promptTokens } from './step-law.js'

/**
 * The constants by which the KV blocks of a session are counted, as vLLM's own KV cache manager
 * counts them. Checked: exact at every step of a session of 21 minutes with the windows of vLLM
 * before and since 0.25, and on a running vLLM 0.32.
 */
export interface KvModel {
  /** Tokens of an encoder block: the label `block_size` of `vllm:cache_config_info`. */
  readonly blockTokens: number
  /** Tokens after which an encoder block is given back: 189, and 750 before vLLM 0.25. */
  readonly encoderWindowTokens: number
  /** Tokens after which a decoder block is given back: 8192. */
  readonly decoderWindowTokens: number
  /** Tokens of a decoder block, as a multiple of those of an encoder block: 8. */
  readonly decoderBlockRatio: number
}

/** A session that has given `n` deltas has computed this plus `n` tokens: 38 + n at 480 ms. */
const TOKENS_BEFORE_FIRST_DELTA = promptTokens() - 1

/** Blocks that a session holds after a number of deltas; 0 before the first delta. */
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
 * The most blocks that a session may hold at any moment up to a number of deltas. It only rises,
 * unlike `kvBlocksHeld`, whose encoder part goes up and down by one block as its window slides over
 * block boundaries. Plans count it from the opening of the session, where deltas is 0.
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
