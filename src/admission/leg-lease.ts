import { Pulse } from '../kernel/pulse.js'
import type { EngineDesk } from './engine-desk.js'
import { type EnginePlan, frameMsOf } from './engine-plan.js'
import type { PlannedLeg } from './ledger.js'
import type { PlannedStretch } from './leg-planner.js'

/** A sender that is behind its planned curve by more asks before it takes a new block. */
export const SLIP_MAX_MS = 1_000

/** Frames that must have been sent before the first delta is due, less one. */
const FRAMES_BEFORE_DELTA = 7

/** What a lease needs of the chain that it belongs to. */
export interface LeaseOwner {
  /** Resolves when a new block may be taken by a sender that is so far behind. */
  ask(lease: LegLease, behindMs: number, options: { signal: AbortSignal }): Promise<void>
  /** Takes the lease out of the ledger; the session's blocks are free by then. */
  closed(lease: LegLease, options: { signal: AbortSignal }): Promise<void>
}

/**
 * The right to hold one session for one leg. *Moving*, while its end may still be moved by its
 * chain; *fixed*, once the next leg was opened or its last frame is near; *closed*.
 * Frames are counted within the leg, from 0.
 */
export class LegLease {
  readonly index: number
  readonly chainId: string
  readonly desk: EngineDesk
  readonly fromFrame: number
  /** When the first frame is due, on this process's monotonic clock. */
  readonly startMs: number
  /** Beats when its end was moved. */
  readonly moves = new Pulse()
  /** Frames that were sent, as far as the sender has told. */
  sentFrames = 0
  /** How late the newest frame was. */
  lateMs = 0
  /** Aborted once the session has ended, well or not. */
  private readonly over = new AbortController()
  private readonly plan: EnginePlan
  private readonly pace: number
  private readonly owner: LeaseOwner
  private stretch: PlannedStretch
  private leg: PlannedLeg
  private nextStep = 0
  private borderFrame = 0

  constructor(options: {
    chainId: string
    desk: EngineDesk
    plan: EnginePlan
    owner: LeaseOwner
    pace: number
    leg: PlannedLeg
    stretch: PlannedStretch
  }) {
    this.chainId = options.chainId
    this.desk = options.desk
    this.plan = options.plan
    this.owner = options.owner
    this.pace = options.pace
    this.leg = options.leg
    this.stretch = options.stretch
    this.index = options.leg.index
    this.fromFrame = options.stretch.fromFrame
    this.startMs = options.desk.toMonotonic(options.leg.startMs)
    this.findBorder()
  }

  /** Aborted once the lease is being given back. */
  get ended(): AbortSignal {
    return this.over.signal
  }

  /** Frames of the leg, as planned now. */
  get frames(): number {
    return this.stretch.endFrame - this.fromFrame
  }

  /** Where it ends, and how. */
  get planned(): PlannedStretch {
    return this.stretch
  }

  /** As it stands in the ledger. */
  get entry(): PlannedLeg {
    return this.leg
  }

  /** Its end was moved, and the ledger knows. */
  moved(leg: PlannedLeg, stretch: PlannedStretch): void {
    this.leg = leg
    this.stretch = stretch
    this.findBorder()
    this.moves.beat()
  }

  /** When a frame of the recording is due, by how the sender has fared so far. */
  dueMs(frame: number): number {
    return this.startMs + (frame - this.fromFrame) * frameMsOf(this.pace) + this.lateMs
  }

  /**
   * To be called right before a frame is sent. Most frames need no new block, and most that do are
   * on their planned curve: for those it answers at once, without a promise.
   * @throws the signal's reason
   */
  permit(
    frame: number,
    nowMs: number,
    options: { signal: AbortSignal },
  ): Promise<void> | undefined {
    this.sentFrames = frame
    this.lateMs = Math.max(0, nowMs - this.startMs - frame * frameMsOf(this.pace))
    if (frame < this.borderFrame || this.plan.policy === 'fixed') return undefined
    const unknownMs = this.lateMs - this.leg.behindMs
    if (unknownMs <= SLIP_MAX_MS && this.desk.isCalm) {
      this.passBorder(frame)
      return undefined
    }
    return this.owner.ask(this, Math.round(this.lateMs), options).then(() => this.passBorder(frame))
  }

  /** The most blocks that it may hold, and did hold once so many deltas were received. */
  kvBlocks(deltas: number): { granted: number; held: number } {
    const { curve } = this.plan
    const framesHeard = deltas + FRAMES_BEFORE_DELTA
    return { granted: curve.peakBlocks(this.frames), held: curve.blocksAfter(framesHeard) }
  }

  /** The first frame from one on with which the session's curve takes blocks. */
  borderAfter(frame: number): number {
    for (const step of this.plan.curve.steps) if (step.frame >= frame) return step.frame
    return Number.POSITIVE_INFINITY
  }

  /** The session has ended and holds nothing any more. */
  async close(options: { signal: AbortSignal }): Promise<void> {
    this.over.abort()
    await this.owner.closed(this, options)
  }

  private passBorder(frame: number): void {
    const { steps } = this.plan.curve
    while (this.nextStep < steps.length && (steps[this.nextStep]?.frame ?? 0) <= frame) {
      this.nextStep += 1
    }
    this.findBorder()
  }

  /** The next frame with which blocks are taken: a step of the curve, or the last with its tail. */
  private findBorder(): void {
    const step = this.plan.curve.steps[this.nextStep]?.frame ?? Number.POSITIVE_INFINITY
    const last = this.frames - 1
    // Once past the last frame's border there is nothing left to ask for.
    this.borderFrame = this.sentFrames >= last ? step : Math.min(step, last)
  }
}
