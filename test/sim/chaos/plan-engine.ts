import { LegLease } from '../../../src/admission/lane/leg-lease.js'
import { frameMsOf } from '../../../src/admission/load/engine-plan.js'
import { UpstreamError } from '../../../src/kernel/errors.js'
import type { KvModel } from '../../../src/model/kv-model.js'
import type { LegTrouble, SimulatedSession } from '../../../src/planning/simulated-leg.js'
import type { SessionRequest, SessionRunner } from '../../../src/realtime/run-session.js'
import { EngineTruth } from '../engine-truth.js'
import type { NightEngine } from '../night-run.js'
import { pick } from '../random-night.js'
import type { ChaosEngine, SessionTrouble } from './chaos-engine.js'
import { keepAlive, type NightWorld } from './keep-alive.js'
import { type PlanSession, runPlanSession } from './plan-session.js'
import type { SimulatedProcess } from './simulated-process.js'

/** Frames of a word that was said. */
export const WORD_FRAMES = 4

/** What a night without sockets needs of its engines. */
export interface PlanEngineParts extends NightWorld {
  kv: KvModel
  trouble: LegTrouble
  /** The ends of the words of a job, frames of the recording in order. */
  wordsOf(jobId: string): readonly number[]
  /** The engine was asked for more than it has. @param openedMs when its sessions were opened */
  onOverflow(sentence: string, openedMs: readonly number[]): void
  onViolated(sentence: string): void
  /** A frame of a lane was sent. */
  onSent(process: SimulatedProcess, lease: LegLease, frame: number): void
}

/** An engine by its books alone: what its sessions hold, and when they are cut off. */
export class PlanEngine implements ChaosEngine {
  isUp = true
  /** It counts on, whatever it has. */
  readonly deadlocks = 0
  readonly kv: KvModel
  readonly truth: EngineTruth
  private readonly engine: NightEngine
  private readonly parts: PlanEngineParts
  private readonly sessions = new Set<OpenSession>()

  constructor(engine: NightEngine, parts: PlanEngineParts) {
    this.engine = engine
    this.parts = parts
    this.kv = parts.kv
    const { plan, capacity, baseMs } = engine
    const truth = { plan, blocksMax: Math.min(capacity, plan.limits.kvBlocks), baseMs }
    this.truth = new EngineTruth(truth, (sentence) => {
      parts.onOverflow(`${this.id}: ${sentence}`, this.openedMs)
    })
  }

  get id(): string {
    return this.engine.id
  }

  get plan() {
    return this.engine.plan
  }

  get openSessions(): number {
    return this.truth.openSessions
  }

  get kvBlocksHeld(): number {
    return this.truth.holding
  }

  get openedMs(): number[] {
    return [...this.sessions].map(({ openedMs }) => openedMs)
  }

  get gauges() {
    return {
      ...{ waitingCapacity: 0, kvUsage: null, kvBlocksTotal: null, kvBlocksHeld: null },
      websocketConnections: this.openSessions,
    }
  }

  runner(process: SimulatedProcess): SessionRunner {
    return async (request, { signal }) => {
      await process.awake()
      signal.throwIfAborted()
      if (!this.isUp) throw broken('engine_unavailable', `${this.id} is down.`)
      const lease = request.permission
      if (!(lease instanceof LegLease)) throw new Error('Every session has a lease here.')
      const session = new OpenSession(this.truth.open(), this.parts.time.monotonicMs())
      this.sessions.add(session)
      const close = () => {
        if (this.sessions.delete(session)) session.truth.closed()
      }
      const unwatch = keepAlive(process, this.parts, () => session.end('drop', close))
      session.onEnd = close
      request.meter.connected(0)
      try {
        return await runPlanSession(this.sessionOf(process, { request, lease, session }), signal)
      } finally {
        // A host that has vanished tells nobody.
        if (process.death !== 'vanished') {
          unwatch()
          close()
        }
      }
    }
  }

  die(downMs: number): void {
    const { time, over } = this.parts
    this.isUp = false
    for (const session of [...this.sessions]) session.end('drop', session.onEnd)
    const back = time.sleepUntil(time.monotonicMs() + downMs, { signal: over })
    back.then(
      () => {
        this.isUp = true
      },
      () => {}, // the night was over before
    )
  }

  break(trouble: SessionTrouble): void {
    if (this.sessions.size === 0) return
    const session = pick(this.parts.random, [...this.sessions])
    session.end(trouble, session.onEnd)
  }

  private sessionOf(
    process: SimulatedProcess,
    { request, lease, session }: { request: SessionRequest; lease: LegLease; session: OpenSession },
  ): PlanSession {
    const { random, trouble, wordsOf, onSent, onViolated } = this.parts
    const jobId = lease.chainId.slice(0, lease.chainId.lastIndexOf('/'))
    const pace = request.pace === 'max' ? 0 : request.pace
    const frameMs = frameMsOf(pace)
    return {
      ...{ process, request, lease, random, trouble, frameMs, words: wordsOf(jobId) },
      broken: session.broken,
      isStalled: () => session.isStalled,
      heard: (frames) => {
        if (session.broken.aborted) return
        const dueMs = lease.startMs + (frames - 1) * frameMs
        if (process.clock.monotonicMs() < dueMs - 1e-3) onViolated(`${lease.chainId} is early`)
        session.truth.heard(frames)
        onSent(process, lease, lease.fromFrame + frames - 1)
      },
      finished: (frames) => {
        if (!session.broken.aborted) session.truth.finished(frames)
      },
    }
  }
}

class OpenSession {
  readonly truth: SimulatedSession
  readonly openedMs: number
  isStalled = false
  onEnd: () => void = () => {}
  private readonly breaking = new AbortController()

  constructor(truth: SimulatedSession, openedMs: number) {
    this.truth = truth
    this.openedMs = openedMs
  }

  get broken(): AbortSignal {
    return this.breaking.signal
  }

  /** The engine holds nothing for it any more, or says nothing any more. */
  end(trouble: SessionTrouble, close: () => void): void {
    if (trouble === 'stall') {
      this.isStalled = true
      return
    }
    this.breaking.abort(broken('engine_crashed', 'The connection is gone (1006).'))
    close()
  }
}

function broken(code: 'engine_unavailable' | 'engine_crashed', sentence: string): UpstreamError {
  return new UpstreamError(code, sentence)
}
