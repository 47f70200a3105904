import type { Random } from '../../src/kernel/random.js'
import { seededRandom } from '../../src/kernel/seeded-random.js'
import type { S3Fault } from '../fakes/s3-fault-proxy.js'

/** Something that goes wrong. `pick` in [0, 1) chooses one of several things that it can befall. */
export type ChaosFault =
  /** SIGKILL; a new one is started after so long. */
  | { kind: 'worker-kill'; pick: number; downMs: number }
  /** SIGSTOP, and SIGCONT after so long. */
  | { kind: 'worker-freeze'; pick: number; durationMs: number }
  /** SIGTERM to one worker after the other, each started anew once it has ended. */
  | { kind: 'rolling-restart' }
  /** An engine is gone with all its sessions; see the stand-in's fault `engine_death`. */
  | { kind: 'engine-death'; pick: number; manner: EngineDeathManner; downMs: number }
  /** The connection of one session is reset. */
  | { kind: 'socket-cut'; pick: number }
  /** Nothing comes from the engine any more on the connection of one session. */
  | { kind: 'socket-silence'; pick: number }
  /** SIGKILL, and a start on what it has on disk after so long. */
  | { kind: 'redis-kill'; downMs: number }
  /** Connections stay, nothing is answered. */
  | { kind: 'redis-freeze'; durationMs: number }
  /** So many requests at most, within so long. */
  | { kind: 's3'; fault: S3Fault; times: number; durationMs: number }

/** Killed; or its process dies behind its server; or told to stop. */
export type EngineDeathManner = 'abrupt' | 'core' | 'term'

/** A fault with the time that passes before it. */
export interface TimedFault {
  afterMs: number
  fault: ChaosFault
}

/** How many of each kind come in a hundred. */
const SHARES: Readonly<Record<ChaosFault['kind'], number>> = {
  'worker-kill': 9,
  'worker-freeze': 6,
  'rolling-restart': 3,
  'engine-death': 10,
  'socket-cut': 26,
  'socket-silence': 14,
  'redis-kill': 5,
  'redis-freeze': 3,
  s3: 24,
}

/** What a schedule is made by. */
export interface FaultStreamOptions {
  seed: number
  /** Mean time between two faults. */
  everyMs: number
  /** Times the length of outages; 1 is what a bad night has. */
  severity: number
  /** Storage is silent, too: a request that is never answered costs its client's whole patience. */
  hasSilentStorage: boolean
}

/**
 * Endless faults, the same for the same options: kinds are dealt out of shuffled packs of a hundred
 * so that every run has of each what it should.
 */
export function* faultStream(options: FaultStreamOptions): Generator<TimedFault> {
  const random = seededRandom(options.seed)
  for (;;) {
    for (const kind of shuffledPack(random)) {
      const afterMs = Math.round(options.everyMs * (0.25 + 1.5 * random.uniform()))
      yield { afterMs, fault: faultOf(kind, random, options) }
    }
  }
}

/** Each kind is spread evenly over the pack, so that a short run, too, meets nearly all. */
function shuffledPack(random: Random): ChaosFault['kind'][] {
  const entries = Object.entries(SHARES) as [ChaosFault['kind'], number][]
  const pack = entries.flatMap(([kind, share]) =>
    Array.from({ length: share }, (_, index) => ({
      kind,
      place: (index + random.uniform()) / share,
    })),
  )
  return pack.sort((one, other) => one.place - other.place).map(({ kind }) => kind)
}

function faultOf(
  kind: ChaosFault['kind'],
  random: Random,
  { severity, hasSilentStorage }: FaultStreamOptions,
): ChaosFault {
  const pick = random.uniform()
  const between = (min: number, max: number) =>
    Math.round((min + (max - min) * random.uniform()) * severity)
  switch (kind) {
    case 'worker-kill':
      return { kind, pick, downMs: between(500, 6_000) }
    case 'worker-freeze':
      // Half of them shorter than a lock lasts, half of them longer.
      return {
        ...{ kind, pick },
        durationMs: random.uniform() < 0.5 ? between(1_000, 8_000) : between(12_000, 40_000),
      }
    case 'rolling-restart':
      return { kind }
    case 'engine-death':
      return { kind, pick, manner: deathManner(random), downMs: between(500, 8_000) }
    case 'socket-cut':
    case 'socket-silence':
      return { kind, pick }
    case 'redis-kill':
      return { kind, downMs: between(0, 4_000) }
    case 'redis-freeze':
      return { kind, durationMs: between(1_000, 7_000) }
    case 's3':
      return { kind, ...storageFault(random, hasSilentStorage), durationMs: between(1_000, 8_000) }
  }
}

function deathManner(random: Random): EngineDeathManner {
  return oneOf(['abrupt', 'core', 'term'] as const, random)
}

function storageFault(random: Random, hasSilence: boolean): { fault: S3Fault; times: number } {
  const afterBytes = Math.round(100_000 * random.uniform() ** 3)
  const told: S3Fault[] = [
    { kind: 'error', status: 503, code: 'SlowDown' },
    { kind: 'error', status: 500, code: 'InternalError' },
    { kind: 'lost-answer' },
    { kind: 'cut-body', afterBytes },
  ]
  const silent: S3Fault[] = [{ kind: 'stall-body', afterBytes }, { kind: 'silence' }]
  const fault = oneOf(hasSilence ? [...told, ...silent] : told, random)
  const timesMax = fault.kind === 'error' ? 30 : 3
  return { fault, times: 1 + Math.floor(timesMax * random.uniform()) }
}

function oneOf<T>(all: readonly T[], random: Random): T {
  return all[Math.floor(all.length * random.uniform())] as T
}
