import type { Policy } from '../../src/admission/load/engine-plan.js'
import { runChaosNight } from './chaos/chaos-night.js'
import { randomChaos } from './chaos/random-chaos.js'
import { checkNight } from './check-night.js'
import { runLiveNight } from './live-night.js'
import { type NightResult, runNight } from './night-run.js'
import { randomNight } from './random-night.js'
import { runSessionNight } from './session-night.js'

/** How nights are run. */
export interface SeedWish {
  /** 1: plan and ledger, one event a block border; 2: session code, frame by frame. */
  depth: 1 | 2
  /** Null: by the seed. */
  policy: Policy | null
  /** Runs each night twice and compares the logs. */
  isTwice: boolean
  /** Nights in which workers, engines and the store die, freeze and forget. */
  isChaos: boolean
  /** Nights with live sessions beside recordings that fill the engine; elastic, at depth 1. */
  isLive: boolean
}

/** What became of one night. */
export interface SeedOutcome {
  seed: number
  faults: string[]
  log: string[]
  jobs: number
  legs: number
  endedMs: number
  /** What happened in a chaos night; a name that ends in `Max` is a most, all others are counts. */
  counts: Record<string, number>
}

/** Runs the night of one seed. Never rejects: what was thrown is a fault. */
export async function runSeed(seed: number, wish: SeedWish): Promise<SeedOutcome> {
  try {
    const outcome = await runOnce(seed, wish)
    if (!wish.isTwice) return outcome
    const again = await runOnce(seed, wish)
    const at = outcome.log.findIndex((line, index) => line !== again.log[index])
    if (at >= 0 || again.log.length !== outcome.log.length) {
      outcome.faults.push(`its second run differs at line ${at}: ${again.log[at]}`)
    }
    return outcome
  } catch (error) {
    const sentence = error instanceof Error ? (error.stack ?? error.message) : String(error)
    return { seed, faults: [sentence], log: [], jobs: 0, legs: 0, endedMs: 0, counts: {} }
  }
}

async function runOnce(seed: number, wish: SeedWish): Promise<SeedOutcome> {
  if (wish.isChaos) {
    return { seed, ...(await runChaosNight(randomChaos(seed, wish), wish.depth)) }
  }
  if (wish.isLive) {
    const { result, faults, sessions, waitsMs } = await runLiveNight(seed)
    const counts = { liveSessions: sessions, liveWaitMsMax: Math.max(0, ...waitsMs) }
    return { ...outcomeOf(seed, result, faults), counts }
  }
  if (wish.depth === 2) {
    const { result, faults } = await runSessionNight(seed, wish)
    return outcomeOf(seed, result, faults)
  }
  const run = randomNight(seed, wish)
  const result = await runNight(run)
  return outcomeOf(seed, result, checkNight(run, result))
}

function outcomeOf(seed: number, result: NightResult, faults: string[]): SeedOutcome {
  const { log, legs, finishedMs, endedMs } = result
  return { seed, faults, log, jobs: finishedMs.size, legs: legs.length, endedMs, counts: {} }
}
