import {
  type ControllerEvent,
  type ControllerGauges,
  EngineController,
} from '../../../src/admission/engine/engine-controller.js'
import { SessionTracker } from '../../../src/admission/engine/session-activity.js'
import { EMPTY_LEDGER, type Ledger } from '../../../src/admission/ledger/ledger.js'
import { LedgerClient } from '../../../src/admission/ledger/ledger-client.js'
import type { EnginePlan } from '../../../src/admission/load/engine-plan.js'
import { MemoryLedgerStore } from '../../../src/admission/store/memory-ledger-store.js'
import { loadKvModel } from '../../../src/config/data/model-file.js'
import { seededRandom } from '../../../src/kernel/seeded-random.js'
import { LegCurve } from '../../../src/model/leg-curve.js'
import { MemoryEngineActivity } from '../../fakes/memory-engine-activity.js'
import { MemoryWorkerHeartbeats } from '../../fakes/memory-worker-heartbeats.js'
import { StepClock } from '../../fakes/step-clock.js'

const signal = new AbortController().signal
/** The one that all keepers look after. */
export const ENGINE = 'ws://engine/v1/realtime'
const model = 'mistralai/Voxtral-Mini-4B-Realtime-2602'
const kv = loadKvModel({ cwd: process.cwd(), model, version: '0.32.0', blockTokens: 16 })
const plan: EnginePlan = {
  policy: 'elastic',
  limits: { kvBlocks: 100, stepMs: Infinity, sessions: Infinity, lanes: Infinity },
  curve: new LegCurve(kv),
  stepModel: null,
  floorFrames: 250,
  ceilingFrames: 7_500,
  openAheadMs: 1_000,
  tailMs: 1_360,
}

/** An engine that has nothing to do. */
export const QUIET = { waitingCapacity: 0, kvUsage: 0, kvBlocksTotal: 101, websocketConnections: 0 }

/** One engine, and the keepers of several workers. */
export class ControllerBench {
  /** It has nothing to say of itself but these; null: it can't be asked. */
  gauges: ControllerGauges | null = null
  stallTimeoutMs = 3_000
  readonly clock = new StepClock(1_000_000)
  readonly store = new MemoryLedgerStore({ clock: this.clock })
  readonly activities = new MemoryEngineActivity({ clock: this.clock })
  readonly heartbeats = new MemoryWorkerHeartbeats({ clock: this.clock })

  /** A worker's, with what its sessions do. */
  controllerOf(worker: string) {
    const { clock, store, activities, heartbeats } = this
    const random = seededRandom(1)
    const client = new LedgerClient({ engine: ENGINE, store, clock, random, plan, liveShare: 0 })
    const sessions = new SessionTracker(kv)
    const events: ControllerEvent[] = []
    const controller = new EngineController({
      ...{ client, activities, heartbeats, sessions, worker, chains: { has: () => true } },
      readGauges: async () => this.gauges,
      kneeLagMs: 2_000,
      deltaDelayMs: 0,
      stallTimeoutMs: this.stallTimeoutMs,
      nowMs: () => clock.monotonicMs(),
      onEvent: (event) => events.push(event),
    })
    const open = (chainId: string) => {
      const activity = sessions.open(chainId, clock.monotonicMs())
      activity.connected(clock.monotonicMs())
      const send = (frames: number) => {
        for (let frame = 0; frame < frames; frame += 1) activity.frameSent(clock.monotonicMs())
      }
      const hear = (lagMs = 0) => activity.deltaReceived(clock.monotonicMs(), lagMs)
      return { activity, send, hear, end: () => activity.ended(clock.monotonicMs()) }
    }
    return { controller, client, events, open }
  }

  /** So many seconds, each with a round of all; a worker reads its ledgers as often. */
  async rounds(
    seconds: number,
    ...controllers: readonly { controller: EngineController; client: LedgerClient }[]
  ) {
    for (let second = 0; second < seconds; second += 1) {
      await this.clock.advance(1_000)
      for (const { controller, client } of controllers) {
        await client.read({ signal })
        await controller.tick({ signal })
      }
    }
  }

  async ledger(): Promise<Ledger> {
    return (await this.store.read(ENGINE, { signal })).ledger
  }
}

/** Lanes of two workers, old and young. */
export function twoLanes(nowMs: number): Ledger {
  const lane = (worker: string, id: string, ageMs: number) => ({
    ...{ id, worker, pace: 1, live: false, restFrames: 0, parkedSinceMs: null },
    legs: [
      {
        ...{ index: 0, open: true, openMs: nowMs - ageMs, startMs: nowMs - ageMs },
        ...{ frames: 1_000, behindMs: 0, stoppedFrame: null },
      },
    ],
  })
  const chains = [lane('one', 'old/0', 16_000), lane('other', 'young/0', 8_000)]
  return { ...EMPTY_LEDGER, chains }
}
