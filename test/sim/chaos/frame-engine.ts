import { type InProcessEngine, inProcessEngine } from '../../../gpu/standin/in-process-engine.js'
import { createMetronomeFactory } from '../../../gpu/standin/recognizers/metronome-recognizer.js'
import { LegLease } from '../../../src/admission/lane/leg-lease.js'
import type { KvModel } from '../../../src/model/kv-model.js'
import type { Transport, TransportEvent } from '../../../src/realtime/index.js'
import {
  type SessionRequest,
  type SessionRunner,
  sessionRunner,
} from '../../../src/realtime/run-session.js'
import type { NightEngine } from '../night-run.js'
import type { ChaosEngine, SessionTrouble } from './chaos-engine.js'
import { keepAlive, type NightWorld } from './keep-alive.js'
import type { SimulatedProcess } from './simulated-process.js'

/** What every engine of a night serves. */
export const MODEL = 'mistralai/Voxtral-Mini-4B-Realtime-2602'
/** A word every two seconds of whatever is heard. */
const WORD_EVERY_STEPS = 25

/** What a night frame by frame needs of its engines. */
export interface FrameEngineParts extends NightWorld {
  kv: KvModel
  onSent(process: SimulatedProcess, lease: LegLease, frame: number): void
  onViolated(sentence: string): void
}

/** A stand-in engine without sockets, which stops for ever when its blocks run out. */
export class FrameEngine implements ChaosEngine {
  readonly kv: KvModel
  private readonly engine: NightEngine
  private readonly parts: FrameEngineParts
  private readonly standin: InProcessEngine
  private readonly opened = new Map<Transport, number>()

  constructor(engine: NightEngine, parts: FrameEngineParts) {
    this.engine = engine
    this.parts = parts
    this.kv = parts.kv
    const { time: clock, random, kv } = parts
    this.standin = inProcessEngine({
      ...{ clock, random, modelId: MODEL },
      recognizer: createMetronomeFactory(WORD_EVERY_STEPS),
      resources: { kv, kvBlocksUsable: engine.capacity, stepModel: engine.plan.stepModel },
    })
  }

  get id(): string {
    return this.engine.id
  }

  get plan() {
    return this.engine.plan
  }

  get isUp(): boolean {
    return this.standin.isUp
  }

  get openSessions(): number {
    return this.standin.stats.connectionsActive
  }

  get kvBlocksHeld(): number {
    return this.standin.stats.kvBlocksHeld
  }

  /** Of the engine process that runs. */
  get deadlocks(): number {
    return this.standin.stats.deadlocks
  }

  get openedMs(): number[] {
    return [...this.opened.values()]
  }

  get gauges() {
    const { kvBlocksHeld, kvBlocksUsable, connectionsActive } = this.standin.stats
    return {
      ...{ waitingCapacity: 0, kvBlocksHeld, kvBlocksTotal: kvBlocksUsable + 1 },
      kvUsage: kvBlocksHeld / kvBlocksUsable,
      websocketConnections: connectionsActive,
    }
  }

  runner(process: SimulatedProcess): SessionRunner {
    const open = (url: string, signal: AbortSignal) => {
      return process.through(() => this.standin.open({ url, key: null }, { signal }))
    }
    const run = sessionRunner({
      opener: {
        open: async ({ url }, { signal }) => this.transport(process, await open(url, signal)),
      },
      clock: process.clock,
    })
    return async (request, options) => await run(this.watched(process, request), options)
  }

  die(downMs: number): void {
    if (!this.isUp) return
    this.standin.kill({ abrupt: this.parts.random.uniform() < 0.5 ? 1 : 0, downMs })
  }

  break(trouble: SessionTrouble): void {
    const afterDeltas = 1 + Math.floor(this.parts.random.uniform() * 200)
    const kind = this.parts.random.uniform() < 0.3 ? 'processing_error' : trouble
    this.standin.setFaults([{ kind, afterDeltas, count: 1 }])
  }

  private watched(process: SimulatedProcess, request: SessionRequest): SessionRequest {
    const { permission: lease, meter, pace } = request
    if (!(lease instanceof LegLease)) throw new Error('Every session has a lease here.')
    const frameMs = pace === 'max' ? 0 : 80 / pace
    let sent = 0
    return {
      ...request,
      meter: {
        ...meter,
        frameSent: (nowMs, slipMs) => {
          const isEarly = nowMs < lease.startMs + sent * frameMs - 1e-3
          if (isEarly && pace !== 'max') this.parts.onViolated(`${lease.chainId} is early`)
          this.parts.onSent(process, lease, lease.fromFrame + sent)
          sent += 1
          meter.frameSent(nowMs, slipMs)
        },
      },
    }
  }

  /** A connection that freezes and dies with its process. */
  private transport(process: SimulatedProcess, inner: Transport): Transport {
    this.opened.set(inner, this.parts.time.monotonicMs())
    const gone = (close: () => void) => {
      this.opened.delete(inner)
      close()
    }
    const unwatch = keepAlive(process, this.parts, () => gone(() => inner.destroy()))
    const end = (close: () => void) => {
      if (process.death === 'vanished') return // its host tells nobody
      unwatch()
      gone(close)
    }
    return {
      get bufferedBytes() {
        return inner.bufferedBytes
      },
      send: (text) => {
        if (!process.dead.aborted) inner.send(text)
      },
      events: () => heard(process, inner),
      close: () => end(() => inner.close()),
      destroy: () => end(() => inner.destroy()),
    }
  }
}

async function* heard(process: SimulatedProcess, inner: Transport): AsyncIterable<TransportEvent> {
  for await (const event of inner.events()) {
    await process.awake()
    yield event
  }
}
