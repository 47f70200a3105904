import { Condition } from '../../kernel/condition.js'
import { stepsToFirstDelta } from '../../model/step-law.js'
import type { PlannedLeg } from '../ledger/ledger.js'
import type { LedgerClient } from '../ledger/ledger-client.js'
import type { PlannedSegment } from '../legs/planned-segment.js'
import { type EnginePlan, frameMsOf } from '../load/engine-plan.js'

/** A sender that is behind its planned curve by more asks before it takes a new block. */
export const SLIP_MAX_MS = 1_000

/** What a lease needs of the chain that it belongs to. */
export interface LeaseOwner {
  /** Resolves when the new block may be taken that frame `frame` of the leg needs. */
  ask(lease: LegLease, frame: number, options: { signal: AbortSignal }): Promise<void>
  /** Whether the lease is in the ledger as it is here, as far as the copy tells. */
  exists(lease: LegLease): boolean
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
  readonly client: LedgerClient
  readonly fromFrame: number
  /** When the first frame is due, on this process's monotonic clock. */
  readonly startMs: number
  /** Beats when its end was moved. */
  readonly moves = new Condition()
  /** Frames that were sent, as far as the sender has told. */
  sentFrames = 0
  /** How late the newest frame was. */
  lateMs = 0
  /** The ledger was asked for its first frame, and audio was sent since, or is about to be. */
  isUsed = false
  /** Aborted once the session has ended, well or not. */
  private readonly over = new AbortController()
  private readonly plan: EnginePlan
  private readonly pace: number
  private readonly owner: LeaseOwner
  private segment: PlannedSegment
  private leg: PlannedLeg
  private nextStep = 0
  private nextBlockFrame = 0
  /** Its end is being moved and may come to be here: no further until that is known. */
  private holdFrame = Number.POSITIVE_INFINITY
  /** Whoever waits for the sender to come to a frame. */
  private awaitedFrame = Number.POSITIVE_INFINITY
  private readonly arrivals = new Condition()

  constructor(options: {
    chainId: string
    client: LedgerClient
    plan: EnginePlan
    owner: LeaseOwner
    pace: number
    leg: PlannedLeg
    segment: PlannedSegment
  }) {
    this.chainId = options.chainId
    this.client = options.client
    this.plan = options.plan
    this.owner = options.owner
    this.pace = options.pace
    this.leg = options.leg
    this.segment = options.segment
    this.index = options.leg.index
    this.fromFrame = options.segment.fromFrame
    this.startMs = options.client.toMonotonic(options.leg.startMs)
    this.findNextBlock()
  }

  /** Aborted once the lease is being given back. */
  get ended(): AbortSignal {
    return this.over.signal
  }

  /** Frames of the leg, as planned now. */
  get frames(): number {
    return this.segment.endFrame - this.fromFrame
  }

  /** Where it ends, and how. */
  get planned(): PlannedSegment {
    return this.segment
  }

  /** As it stands in the ledger. */
  get entry(): PlannedLeg {
    return this.leg
  }

  /** Its end was moved, and the ledger knows. */
  moved(leg: PlannedLeg, segment: PlannedSegment): void {
    this.leg = leg
    this.segment = segment
    this.findNextBlock()
    this.moves.notifyAll()
  }

  /** What the ledger says of its sender has changed. */
  noted(leg: PlannedLeg): void {
    this.leg = leg
  }

  /** Its last frame is on its way: the sender ends there, so nobody may move the end any more. */
  get isSpent(): boolean {
    return this.sentFrames >= this.frames - 1
  }

  /**
   * Its end is about to be moved: frames from this one on are not sent before `unfence`, and its
   * last one neither, for with that the sender is through.
   */
  holdAt(frame: number): void {
    this.holdFrame = Math.min(frame, this.frames - 1)
  }

  /** Whatever was about to be moved has been. */
  releaseHold(): void {
    if (this.holdFrame === Number.POSITIVE_INFINITY) return
    this.holdFrame = Number.POSITIVE_INFINITY
    this.moves.notifyAll()
  }

  /** Resolves when the sender comes to a frame, or has ended. @throws the signal's reason */
  async arrival(frame: number, { signal }: { signal: AbortSignal }): Promise<void> {
    while (this.sentFrames < frame && !this.ended.aborted) {
      this.awaitedFrame = frame
      await this.arrivals.wait(signal)
    }
  }

  /** When a frame of the recording is due, by how the sender has fared so far. */
  dueMs(frame: number): number {
    return this.startMs + (frame - this.fromFrame) * frameMsOf(this.pace) + this.lateMs
  }

  /**
   * To be called right before a frame is sent. Most frames need no new block, and most that do are
   * on their planned curve: for those it answers at once, without a promise. The first one asks
   * always: a machine that stood still since the lease was granted doesn't see it by its own clock,
   * and as long as no audio is sent others take the lease for a dead worker's at once.
   * @throws the signal's reason
   */
  permit(
    frame: number,
    nowMs: number,
    options: { signal: AbortSignal },
  ): Promise<void> | undefined {
    if (frame >= this.holdFrame) return this.passHold(frame, options)
    this.sentFrames = frame
    this.lateMs = this.lateAt(frame, nowMs)
    if (frame >= this.awaitedFrame) this.arrive()
    if (this.plan.policy === 'fixed') {
      this.isUsed = true // nobody is asked: nothing is counted
      return undefined
    }
    if (!this.isUsed) return this.ask(frame, options)
    if (frame < this.nextBlockFrame) return undefined
    const unknownMs = this.lateMs - this.leg.behindMs
    if (unknownMs <= SLIP_MAX_MS && this.client.allOnTime && this.owner.exists(this)) {
      this.passBlock(frame)
      return undefined
    }
    return this.ask(frame, options)
  }

  private async ask(frame: number, options: { signal: AbortSignal }): Promise<void> {
    await this.owner.ask(this, frame, options)
    this.isUsed = true
    this.passBlock(frame)
  }

  /** How late a frame is, at a moment of the monotonic clock. */
  lateAt(frame: number, nowMs: number): number {
    return Math.max(0, nowMs - this.startMs - frame * frameMsOf(this.pace))
  }

  /** The most blocks that it may hold, and did hold once so many deltas were received. */
  kvBlocks(deltas: number): { granted: number; held: number } {
    const { curve } = this.plan
    const framesHeard = deltas + stepsToFirstDelta()
    return { granted: curve.peakBlocks(this.frames), held: curve.blocksAfter(framesHeard) }
  }

  /** The first frame from one on with which the session's curve takes blocks. */
  blockFrameAfter(frame: number): number {
    const { curve } = this.plan
    return curve.stepFrames[curve.stepFrom(frame)] ?? Number.POSITIVE_INFINITY
  }

  /** The session has ended and holds nothing any more. */
  async close(options: { signal: AbortSignal }): Promise<void> {
    this.over.abort()
    this.arrive()
    await this.owner.closed(this, options)
  }

  private arrive(): void {
    this.awaitedFrame = Number.POSITIVE_INFINITY
    this.arrivals.notifyAll()
  }

  private async passHold(frame: number, options: { signal: AbortSignal }): Promise<void> {
    while (frame >= this.holdFrame) await this.moves.wait(options.signal)
    await this.permit(frame, this.client.toMonotonic(this.client.nowMs()), options)
  }

  private passBlock(frame: number): void {
    const { steps } = this.plan.curve
    while (this.nextStep < steps.length && (steps[this.nextStep]?.frame ?? 0) <= frame) {
      this.nextStep += 1
    }
    this.findNextBlock()
  }

  /** The next frame with which blocks are taken: a step of the curve, or the last with its tail. */
  private findNextBlock(): void {
    const step = this.plan.curve.steps[this.nextStep]?.frame ?? Number.POSITIVE_INFINITY
    const last = this.frames - 1
    // Once past the last frame's border there is nothing left to ask for.
    this.nextBlockFrame = this.sentFrames >= last ? step : Math.min(step, last)
  }
}
