import type { EnginePlan } from '../../src/admission/load/engine-plan.js'
import { stepCostMs } from '../../src/model/step-model.js'
import type { SimulatedSession } from '../../src/planning/simulated-leg.js'

/** What one session holds, as the engine itself sees it. */
interface TrueSession {
  heardFrames: number
  blocks: number
}

/** What an engine has; what its plan gives out may be less. */
export interface TrueEngine {
  plan: EnginePlan
  /** Blocks that may be held at a time. */
  blocksMax: number
  /** Of every step. */
  baseMs: number
}

/**
 * The engine's own count of what its sessions hold, by the law and by nothing that was planned.
 * Tells of every moment at which it was asked for more than it has.
 */
export class EngineTruth {
  blocksMax = 0
  stepMsMax = 0
  sessionsMax = 0
  overflows = 0
  private blocks = 0
  private readonly sessions = new Set<TrueSession>()
  private readonly engine: TrueEngine
  private readonly onOverflow: (sentence: string) => void

  constructor(engine: TrueEngine, onOverflow: (sentence: string) => void) {
    this.engine = engine
    this.onOverflow = onOverflow
  }

  get holding(): number {
    return this.blocks
  }

  get openSessions(): number {
    return this.sessions.size
  }

  /** A session was opened; it holds nothing before its first audio. */
  open(): SimulatedSession {
    const session: TrueSession = { heardFrames: 0, blocks: 0 }
    const { curve } = this.engine.plan
    this.sessions.add(session)
    this.sessionsMax = Math.max(this.sessionsMax, this.sessions.size)
    return {
      heard: (frames) => {
        session.heardFrames = frames
        this.hold(session, curve.blocksAfter(frames))
        this.noteStep()
      },
      finished: (frames) => this.hold(session, curve.peakBlocks(frames)),
      closed: () => {
        this.hold(session, 0)
        this.sessions.delete(session)
      },
    }
  }

  private hold(session: TrueSession, blocks: number): void {
    this.blocks += blocks - session.blocks
    session.blocks = blocks
    this.blocksMax = Math.max(this.blocksMax, this.blocks)
    if (this.blocks <= this.engine.blocksMax || blocks === 0) return
    this.overflows += 1
    this.onOverflow(`${this.blocks} blocks are held, of ${this.engine.blocksMax}`)
  }

  private noteStep(): void {
    const { stepModel } = this.engine.plan
    if (stepModel === null) return
    let stepMs = this.engine.baseMs
    for (const { heardFrames } of this.sessions) {
      if (heardFrames > 0) stepMs += stepCostMs(stepModel, heardFrames)
    }
    this.stepMsMax = Math.max(this.stepMsMax, stepMs)
  }
}
