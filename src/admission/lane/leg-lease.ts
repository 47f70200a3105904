import { Condition } from '../../kernel/condition.js'
import { stepsToFirstDelta } from '../../model/step-law.js'
import type { PlannedLeg } from '../ledger/ledger.js'
import type { LedgerClient } from '../ledger/ledger-client.js'
import type { PlannedSegment } from '../legs/planned-segment.js'
import { type EnginePlan, frameMsOf } from '../load/engine-plan.js'

/** A sender that is more than 1 s later than the ledger knows asks before it takes a new block. */
export const SLIP_MAX_MS = 1_000

/** The methods of a chain that its leases call. */
export interface LeaseOwner {
  /** Resolves when frame `frame` of the leg, which needs a new block, may be sent. */
  ask(lease: LegLease, frame: number, options: { signal: AbortSignal }): Promise<void>
  /** Whether our copy of the ledger has the lease with the same values as here. */
  exists(lease: LegLease): boolean
  /** Removes the lease from the ledger; the session has released its blocks by then. */
  closed(lease: LegLease, options: { signal: AbortSignal }): Promise<void>
}

/**
 * The right to hold one session on an engine, for one leg. Three states: *moving*, while its chain
 * may still move its end; *fixed*, once the next leg was opened or its last frame is near;
 * *closed*. Frames are counted within the leg, from 0.
 */
export class LegLease {
  readonly index: number
  readonly chainId: string
  readonly client: LedgerClient
  readonly fromFrame: number
  /** When the first frame is due, on this process's monotonic clock. */
  readonly startMs: number
  /** Notified when the leg's end was moved or a hold was released. */
  readonly moves = new Condition()
  /** Frames that the sender has sent, by its last `permit`. */
  sentFrames = 0
  /** How late the newest frame was, in ms. */
  lateMs = 0
  /** Whether the ledger has permitted the first frame: from then on the session may hold blocks. */
  isUsed = false
  /** Aborted once the session has ended, also when it failed. */
  private readonly over = new AbortController()
  private readonly plan: EnginePlan
  private readonly pace: number
  private readonly owner: LeaseOwner
  private segment: PlannedSegment
  private leg: PlannedLeg
  private nextStep = 0
  private nextBlockFrame = 0
  /** While the leg's end is being moved, frames from this one on aren't sent. */
  private holdFrame = Number.POSITIVE_INFINITY
  /** The frame that `arrival` waits for; infinite without a waiter. */
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

  /** Aborted once `close` was called: the session has ended. */
  get ended(): AbortSignal {
    return this.over.signal
  }

  /** Length of the leg in frames, by the current plan. */
  get frames(): number {
    return this.segment.endFrame - this.fromFrame
  }

  /** The segment of the lane that the leg covers, by the current plan. */
  get planned(): PlannedSegment {
    return this.segment
  }

  /** The lease's entry in the ledger. */
  get entry(): PlannedLeg {
    return this.leg
  }

  /** The leg's end was moved, in the ledger as well. */
  moved(leg: PlannedLeg, segment: PlannedSegment): void {
    this.leg = leg
    this.segment = segment
    this.findNextBlock()
    this.moves.notifyAll()
  }

  /** The lateness of the sender, or where it is stopped, was changed in the ledger. */
  noted(leg: PlannedLeg): void {
    this.leg = leg
  }

  /**
   * Whether the last frame is being sent: the sender ends there, so the end can't move any more.
   */
  get isSpent(): boolean {
    return this.sentFrames >= this.frames - 1
  }

  /**
   * Holds the sender back while the leg's end is being moved: frames from this one on aren't sent
   * before `releaseHold`. The current last frame isn't either: after it the sender would end.
   */
  holdAt(frame: number): void {
    this.holdFrame = Math.min(frame, this.frames - 1)
  }

  /** The leg's end was moved, or stays: the sender goes on. */
  releaseHold(): void {
    if (this.holdFrame === Number.POSITIVE_INFINITY) return
    this.holdFrame = Number.POSITIVE_INFINITY
    this.moves.notifyAll()
  }

  /** Resolves when the sender has come to a frame, or has ended. @throws the signal's reason */
  async arrival(frame: number, { signal }: { signal: AbortSignal }): Promise<void> {
    while (this.sentFrames < frame && !this.ended.aborted) {
      this.awaitedFrame = frame
      await this.arrivals.wait(signal)
    }
  }

  /** When a frame of the recording is due, the sender's lateness included; monotonic clock. */
  dueMs(frame: number): number {
    return this.startMs + (frame - this.fromFrame) * frameMsOf(this.pace) + this.lateMs
  }

  /**
   * Asks for permission to send a frame; called right before it is sent. Undefined, without a wait,
   * for a frame that needs no new block or takes a planned one on time, which is nearly every
   * frame. The first frame always asks the ledger. A machine that was suspended since the lease was
   * granted may not see that by its own clock, and until audio is sent its lease may have been
   * reclaimed as a dead worker's.
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
      this.isUsed = true // the policy `fixed` counts no blocks, so there is nothing to ask
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

  /** How late a frame is, in ms, at a moment of the monotonic clock. */
  lateAt(frame: number, nowMs: number): number {
    return Math.max(0, nowMs - this.startMs - frame * frameMsOf(this.pace))
  }

  /** The most blocks that the leg may hold, and those that it held after a number of deltas. */
  kvBlocks(deltas: number): { granted: number; held: number } {
    const { curve } = this.plan
    const framesReceived = deltas + stepsToFirstDelta()
    return { granted: curve.peakBlocks(this.frames), held: curve.blocksAfter(framesReceived) }
  }

  /** The first frame at or after one for which the session takes a new block by the KV law. */
  blockFrameAfter(frame: number): number {
    const { curve } = this.plan
    return curve.stepFrames[curve.stepFrom(frame)] ?? Number.POSITIVE_INFINITY
  }

  /** The session has ended and holds no blocks: the lease leaves the ledger. */
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

  /**
   * Finds the next frame that takes blocks: by the KV law, or the last one, because of its tail.
   */
  private findNextBlock(): void {
    const step = this.plan.curve.steps[this.nextStep]?.frame ?? Number.POSITIVE_INFINITY
    const last = this.frames - 1
    // After the last frame was permitted, the blocks of the tail are, too.
    this.nextBlockFrame = this.sentFrames >= last ? step : Math.min(step, last)
  }
}
