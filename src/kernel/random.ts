import { randomBytes } from 'node:crypto'

/** Chance as an argument. */
export interface Random {
  /** In [0, 1). */
  uniform(): number
  /** `bytes` random bytes as lower-case hex; for names that must not collide. */
  hexId(bytes: number): string
}

/** Chance from the system. */
export function systemRandom(): Random {
  return { uniform: Math.random, hexId: (bytes) => randomBytes(bytes).toString('hex') }
}

/** The same chance again for the same seed (mulberry32): load plans, simulations, tests. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  return {
    uniform: () => next() / 2 ** 32,
    hexId: (bytes) =>
      Array.from({ length: bytes }, () => (next() & 0xff).toString(16).padStart(2, '0')).join(''),
  }
}
