import type { Chain, Ledger } from '../../src/admission/ledger/ledger.js'
import { withoutChain } from '../../src/admission/ledger/ledger-changes.js'
import { type CandidateLane, decide } from '../../src/admission/pool/decide.js'
import { RedisLedgerStore } from '../../src/admission/store/redis-ledger-store.js'
import { type Clock, systemClock } from '../../src/kernel/clock.js'
import type { Random } from '../../src/kernel/random.js'
import { seededRandom } from '../../src/kernel/seeded-random.js'
import { startTestRedis } from '../fakes/test-redis.js'
import { runAlwaysOn } from './always-on.js'
import { CARDS, type Card, engineOf } from './card-plans.js'
import { randomCuts } from './recordings.js'

const LEASES = 200
/** Time in which they have come, and have begun to rotate. */
const MINUTES = 12
/**
 * Each decision is timed so often, and the least taken: the machine has other things to do, for
 * many decisions on end, so all of them are made before one is made again.
 */
const PASSES = 3
const ROUNDS = 1_000
const WARM_UP = 200
const ENGINE = 'ws://engine/v1/realtime'
const NEVER = new AbortController().signal

/** How long one part of an admission takes. */
export interface PartTimes {
  part: string
  p50_ms: number
  p99_ms: number
  max_ms: number
  [other: string]: string | number
}

/**
 * One admission on an engine of 200 leases: the decision alone, and reading, parsing and writing
 * the ledger back with a real Redis.
 */
export async function runDecisions(seed: number): Promise<PartTimes[]> {
  const clock = systemClock()
  const random = seededRandom(seed)
  const engine = engineOf(CARDS[2] as Card)
  const { plan } = engine
  const { ledger: full } = await runAlwaysOn(engine, { meetings: LEASES, minutes: MINUTES, seed })
  const nowMs = MINUTES * 60_000
  const context = { nowMs, worker: 'one', live: false, waitingLanes: 0 }
  const decisions = Array.from({ length: ROUNDS }, (_, round) => {
    const other = full.chains[round % full.chains.length] as Chain
    const lane = laneOf(random, `newcomer-${round}/0`)
    return {
      lane,
      text: JSON.stringify(withoutChain(full, other.id)),
      leastMs: Number.POSITIVE_INFINITY,
    }
  })
  for (let pass = 0; pass < 1 + PASSES; pass += 1) {
    for (const decision of decisions) {
      // As parsed: nothing of it has been looked at before.
      const parsed = JSON.parse(decision.text) as Ledger
      const beforeMs = clock.monotonicMs()
      decide(plan, parsed, [decision.lane], context)
      const tookMs = clock.monotonicMs() - beforeMs
      // The first pass warms up.
      if (pass > 0) decision.leastMs = Math.min(decision.leastMs, tookMs)
    }
  }
  const decideTimes = decisions.map(({ leastMs }) => leastMs)
  const { readTimes, writeTimes } = await storeTimes(full, clock)
  const leases = { leases: full.chains.length, bytes: JSON.stringify(full).length }
  return [
    { ...times('decide', decideTimes), ...leases },
    { ...times('read and parse', readTimes), ...leases },
    { ...times('write back', writeTimes), ...leases },
  ]
}

function laneOf(random: Random, chainId: string): CandidateLane {
  const durationS = 1_800 + random.uniform() * 3_600
  return { chainId, pace: 1, fromFrame: 0, cuts: randomCuts(random, { durationS, pauseEveryS: 6 }) }
}

async function storeTimes(ledger: Ledger, clock: Clock) {
  await using redis = await startTestRedis()
  const writer = new RedisLedgerStore(await redis.commands('sim'))
  const reader = new RedisLedgerStore(await redis.commands('sim'))
  const readTimes: number[] = []
  const writeTimes: number[] = []
  for (let round = 0; round < ROUNDS + WARM_UP; round += 1) {
    const { revision } = await writer.read(ENGINE, { signal: NEVER })
    const beforeMs = clock.monotonicMs()
    await writer.write(ENGINE, ledger, { revision, signal: NEVER })
    const writtenMs = clock.monotonicMs()
    await reader.read(ENGINE, { signal: NEVER })
    const readMs = clock.monotonicMs()
    if (round < WARM_UP) continue
    writeTimes.push(writtenMs - beforeMs)
    readTimes.push(readMs - writtenMs)
  }
  return { readTimes, writeTimes }
}

function times(part: string, samples: readonly number[]): PartTimes {
  const sorted = [...samples].sort((one, other) => one - other)
  const at = (share: number) => {
    const index = Math.min(sorted.length - 1, Math.floor(share * sorted.length))
    return Math.round((sorted[index] ?? 0) * 1_000) / 1_000
  }
  return { part, p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1) }
}
