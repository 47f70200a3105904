import type { Random } from './random.js'

/** Random numbers that can be repeated: the same seed gives the same ones. Not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  // mulberry32: 32 bits of state, passes the usual tests of small generators.
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const hexByte = () =>
    Math.floor(uniform() * 256)
      .toString(16)
      .padStart(2, '0')
  return { uniform, hexId: (bytes) => Array.from({ length: bytes }, hexByte).join('') }
}
