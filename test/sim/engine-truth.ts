import type { EnginePlan } from '../../src/admission/engine-plan.js'
import { stepCostMs } from '../../src/admission/step-model.js'
import type { SimulatedSession } from '../../src/planning/simulated-leg.js'

/** What one session holds, as the engine itself sees it. */
interface TrueSession {
  openedMs: number
  heardFrames: number
  blocks: number
}

/**
 * The engine's own count of what its sessions hold, by the law and by nothing that was planned.
 * Counts the moments at which it was asked for more than it has.
 */
export class EngineTruth {
  blocksMax = 0
  stepMsMax = 0
  sessionsMax = 0
  overflows = 0
  private blocks = 0
  private readonly sessions = new Set<TrueSession>()
  private readonly plan: EnginePlan
  private readonly capacity: number
  private readonly baseMs: number

  /** @param options.capacity usable blocks, before any safety */
  constructor(plan: EnginePlan, options: { capacity: number; baseMs: number }) {
    this.plan = plan
    this.capacity = options.capacity
    this.baseMs = options.baseMs
  }

  get holding(): number {
    return this.blocks
  }

  get openSessions(): number {
    return this.sessions.size
  }

  /** A session was opened; it holds nothing before its first audio. */
  open(nowMs: () => number): SimulatedSession {
    const session: TrueSession = { openedMs: nowMs(), heardFrames: 0, blocks: 0 }
    this.sessions.add(session)
    this.sessionsMax = Math.max(this.sessionsMax, this.sessions.size)
    const hold = (blocks: number) => {
      this.blocks += blocks - session.blocks
      session.blocks = blocks
      this.blocksMax = Math.max(this.blocksMax, this.blocks)
      if (this.blocks > this.capacity) this.overflows += 1
    }
    return {
      heard: (frames) => {
        session.heardFrames = frames
        hold(this.plan.curve.blocksAfter(frames))
        this.noteStep()
      },
      finished: (frames) => {
        hold(this.plan.curve.peakBlocks(frames))
      },
      closed: () => {
        hold(0)
        this.sessions.delete(session)
      },
    }
  }

  private noteStep(): void {
    const { stepModel } = this.plan
    if (stepModel === null) return
    let stepMs = this.baseMs
    for (const { heardFrames } of this.sessions) {
      if (heardFrames > 0) stepMs += stepCostMs(stepModel, heardFrames)
    }
    this.stepMsMax = Math.max(this.stepMsMax, stepMs)
  }
}
