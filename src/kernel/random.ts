import { randomBytes } from 'node:crypto'

/** A source of random numbers, handed in as an argument so that tests can repeat them. */
export interface Random {
  /** A random number in [0, 1). */
  uniform(): number
  /** `bytes` random bytes as lower-case hex; for names that must not collide. */
  hexId(bytes: number): string
}

/** Random numbers from the system. */
export function systemRandom(): Random {
  return { uniform: Math.random, hexId: (bytes) => randomBytes(bytes).toString('hex') }
}
