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
