import type { Clock } from '../../src/kernel/clock.js'
import { UpstreamError } from '../../src/kernel/errors.js'
import { Mailbox } from '../../src/kernel/mailbox.js'
import type { Random } from '../../src/kernel/random.js'
import type { Transport, TransportEvent, TransportOpener } from '../../src/realtime/index.js'
import { EngineLife } from './engine/engine-life.js'
import {
  DEFAULT_MODEL_ID,
  engineResources,
  type ResourceOptions,
} from './engine/engine-resources.js'
import {
  DEFAULT_MAX_MODEL_LEN,
  DEFAULT_MAX_NUM_SEQS,
  type EngineDeath,
  type EngineStats,
  type StandinSettings,
} from './engine/standin-engine.js'
import type { Fault } from './faults/fault-kinds.js'
import type { RecognizerFactory } from './recognizers/recognizer.js'
import { parseClientEvent, parseUnheard } from './wire/client-event.js'
import { Connection } from './wire/connection.js'
import { metricsText } from './wire/metrics-text.js'
import type { Wire } from './wire/wire.js'

/** Options of a stand-in without sockets. */
export interface InProcessOptions extends ResourceOptions {
  /** Times all steps and faults. With a step clock hours pass in seconds. */
  clock: Clock
  random: Random
  /** Recognizes the audio of all sessions; the caller starts and closes it. */
  recognizer: RecognizerFactory
  modelId?: string
  maxModelLen?: number
  maxNumSeqs?: number
  faults?: readonly Fault[]
  /** Overrides what `ResourceOptions` finds in `config/`. */
  resources?: Partial<Pick<StandinSettings, 'kv' | 'kvBlocksUsable' | 'stepModel'>>
}

/** A stand-in engine in its clients' process: the same engine and protocol, without sockets. */
export interface InProcessEngine extends TransportOpener {
  readonly stats: EngineStats
  /** True while it accepts connections. */
  readonly isUp: boolean
  /** The text that `/metrics` would return. */
  metrics(): string
  /** Replaces the faults; existing connections keep theirs. */
  setFaults(faults: readonly Fault[]): void
  /** Kills the engine process, as the fault `engine_death` does. */
  kill(death?: Partial<EngineDeath>): void
  /** Closes every connection with 1012; nothing can be opened any more. */
  close(): void
}

/**
 * A stand-in that opens transports to itself, for `sessionRunner`: the real session code on a clock
 * of the caller's. Everything happens in microtasks and at times of that clock; it sets no timer of
 * its own. With the metronome as recognizer audio isn't decoded, only counted.
 * @throws ConfigError as `engineResources`
 */
export function inProcessEngine(options: InProcessOptions): InProcessEngine {
  const { clock, random, recognizer } = options
  const settings: StandinSettings = {
    ...engineResources(options),
    ...options.resources,
    modelId: options.modelId ?? DEFAULT_MODEL_ID,
    maxModelLen: options.maxModelLen ?? DEFAULT_MAX_MODEL_LEN,
    maxNumSeqs: options.maxNumSeqs ?? DEFAULT_MAX_NUM_SEQS,
    recognizer,
    clock,
    random,
    defer: queueMicrotask,
  }
  let isUp = true
  const setUp = (is: boolean) => {
    isUp = is
  }
  const life = new EngineLife(settings, options.faults ?? [], {
    down: () => setUp(false),
    up: () => setUp(true),
    over: () => {},
  })
  const parse = recognizer.name === 'metronome' ? parseUnheard : parseClientEvent
  return {
    async open(engine, { signal }) {
      signal.throwIfAborted()
      if (!isUp) throw unavailable(`The engine at ${engine.url} can't be reached: it is down.`)
      const faults = life.deal()
      const refusal = faults.of('refuse')
      if (refusal) {
        const { status } = refusal
        throw unavailable(`The engine at ${engine.url} refuses new sessions (HTTP ${status}).`)
      }
      const link = new Link()
      return link.transport(new Connection(link.wire, life.engine, faults, parse))
    },
    get stats() {
      return life.engine.stats
    },
    get isUp() {
      return isUp
    },
    metrics: () => metricsText(life.engine),
    setFaults: (faults) => life.setFaults(faults),
    kill: (death) => life.kill(death),
    close() {
      isUp = false
      life.end()
    },
  }
}

function unavailable(sentence: string): UpstreamError {
  return new UpstreamError('engine_unavailable', sentence, { effect: 'none' })
}

/** Unread events at which a session waits for its client. */
const EVENTS_MAX = 1024
/** Close code of a client that disconnects in order. */
const NORMAL_CLOSE = 1000

/** One connection: both of its ends, without a network between them. */
class Link {
  private connection: Connection | null = null
  private isOpen = true
  private isFull = false
  private readonly toClient = new Mailbox<TransportEvent>({
    itemsMax: EVENTS_MAX,
    onFull: () => {
      this.isFull = true
    },
    onDrained: () => {
      this.isFull = false
      this.connection?.drained()
    },
  })

  /** The engine's end. */
  get wire(): Wire {
    const link = this
    return {
      get isOpen() {
        return link.isOpen
      },
      get isFull() {
        return link.isFull
      },
      send: (frame) => this.toClient.put({ kind: 'message', text: frame }),
      close: (code) => this.close(code),
    }
  }

  /** The client's end of a connection that the engine has made. */
  transport(connection: Connection): Transport {
    this.connection = connection
    return {
      bufferedBytes: 0,
      send: (frame) => {
        if (this.isOpen) connection.receive(frame)
      },
      events: () => this.toClient,
      close: () => this.close(NORMAL_CLOSE),
      destroy: () => this.close(1006),
    }
  }

  private close(code: number): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.toClient.put({ kind: 'closed', code, reason: '' })
    this.toClient.end()
    this.connection?.end()
  }
}
