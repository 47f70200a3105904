import type { Clock } from '../../src/kernel/clock.js'
import type { Random } from '../../src/kernel/random.js'
import type { Generation } from './generation.js'
import { kvBlocksHeld } from './kv-blocks.js'
import type { RecognizerFactory } from './recognizer.js'
import { Seats } from './seats.js'
import { StepLoop, type Stepper } from './step-loop.js'

/** What one stand-in serves, and how. */
export interface EngineSettings {
  modelId: string
  /** What `/version` says. */
  version: string
  /** Tokens of a session, prompt included. */
  maxModelLen: number
  /** Utterances that generate at a time; more wait silently. */
  maxNumSeqs: number
  recognizer: RecognizerFactory
  clock: Clock
  random: Random
}

/** What `/metrics` counts, since the start. */
export interface EngineCounters {
  connections: number
  promptTokens: number
  generationTokens: number
  /** Utterances that ended with `done`. */
  finished: number
  /** Those of them that met the length limit. */
  capped: number
  /** Utterances whose client was gone before. */
  aborted: number
  /** Utterances that ended with an error. */
  failed: number
}

/** A connection, as far as the engine knows it. */
export interface EngineSession extends Stepper {
  readonly generation: Generation | null
  /** The engine is dead: tells the client if it was generating. */
  engineDied(): void
  /** Ends the connection, without a close frame when the code is 1006. */
  close(code: number): void
}

/** How an engine dies; see the fault of that name. */
export interface EngineDeath {
  closeMs: number
  downMs: number
  abrupt: number
}

/** What vLLM says to whoever was generating when its engine process died. */
export const ENGINE_DEAD =
  'EngineCore encountered an issue. See stack trace (above) for the root cause.'
/** Tokens in a KV block of a GPU's engine. */
export const KV_BLOCK_SIZE = 16
/** As of a card so large that its cache never fills: this engine holds nobody back for it. */
export const KV_BLOCKS_USABLE = 16_384

/**
 * What all connections of one stand-in share. Two modes: alive, and dead, when nothing generates
 * and the server closes its sockets; its owner may put a new engine in the place of a dead one.
 */
export class StandinEngine {
  readonly settings: EngineSettings
  readonly loop = new StepLoop()
  readonly seats: Seats<EngineSession>
  readonly sessions = new Set<EngineSession>()
  readonly counters: EngineCounters = {
    connections: 0,
    promptTokens: 0,
    generationTokens: 0,
    finished: 0,
    capped: 0,
    aborted: 0,
    failed: 0,
  }
  private readonly onDeath: (death: EngineDeath) => void
  private alive = true

  /** @param onDeath called once */
  constructor(settings: EngineSettings, onDeath: (death: EngineDeath) => void) {
    this.settings = settings
    this.onDeath = onDeath
    this.seats = new Seats(settings.maxNumSeqs, (session) => this.loop.wake(session))
  }

  get isAlive(): boolean {
    return this.alive
  }

  /** Blocks that all sessions hold together. */
  get kvBlocksHeld(): number {
    let blocks = 0
    for (const { generation } of this.sessions) {
      if (generation) blocks += kvBlocksHeld(generation.deltas, KV_BLOCK_SIZE)
    }
    return blocks
  }

  /** As when the engine process is killed; the second time does nothing. */
  die(death: EngineDeath): void {
    if (!this.alive) return
    this.alive = false
    for (const session of [...this.sessions]) {
      if (death.abrupt) session.close(1006)
      else session.engineDied()
    }
    this.onDeath(death)
  }

  /** Ends every connection. */
  closeAll(code: number): void {
    for (const session of [...this.sessions]) session.close(code)
  }
}
