import type { Random } from '../../../src/kernel/random.js'
import type { SimulatedClock } from '../../../src/kernel/simulated-clock.js'
import type { SimulatedProcess } from './simulated-process.js'

/** A server pings every 20 s, and hangs up on who hasn't answered for 20 s more. */
const PING_EVERY_MS = 20_000
const PONG_WITHIN_MS = 20_000

/** The world of a night, as far as connections need it. */
export interface NightWorld {
  time: SimulatedClock
  random: Random
  /** The night is over: nobody waits any more. */
  over: AbortSignal
}

/**
 * Watches over a connection as an engine's server does: at once where a process was killed, for its
 * host says so; with the next ping that isn't answered where it is frozen or its host has vanished.
 * @returns ends the watch
 */
export function keepAlive(
  process: SimulatedProcess,
  { time, random, over }: NightWorld,
  hangUp: () => void,
): () => void {
  let isWatched = true
  const lateMs = () => random.uniform() * PING_EVERY_MS + PONG_WITHIN_MS
  const later = async (waitMs: number, isDue: () => boolean) => {
    await time.sleepUntil(time.monotonicMs() + waitMs, { signal: over })
    if (isWatched && isDue()) hangUp()
  }
  const start = (waitMs: number, isDue: () => boolean) => {
    later(waitMs, isDue).catch(() => {}) // the night was over before
  }
  const onDeath = () => {
    if (!isWatched) return
    if (process.death === 'vanished') start(lateMs(), () => true)
    else hangUp()
  }
  const unfreeze = process.onFreeze(() => start(lateMs(), () => process.isFrozen))
  process.dead.addEventListener('abort', onDeath, { once: true })
  return () => {
    isWatched = false
    unfreeze()
    process.dead.removeEventListener('abort', onDeath)
  }
}
