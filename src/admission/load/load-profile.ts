import { STEP_MS } from '../../model/pcm.js'
import type { PlannedLeg } from '../ledger/ledger.js'
import { type EnginePlan, frameMsOf, RELEASE_GRACE_MS } from './engine-plan.js'

/** A leg as it is added to a profile. */
export type LegTimes = Pick<PlannedLeg, 'openMs' | 'startMs' | 'frames'>

/**
 * The load of an engine from now on: blocks, sessions and step time, summed over a grid of time
 * slots. A leg counts in every slot that it touches with the most that it holds there. So the sums
 * are never too small, and a rise or fall is at most one slot early or late.
 *
 * Two modes: *gathering*, while legs are added; and *summed*, from the first read of `blocks`,
 * `stepMs` or `sessions` on, after which nothing may be added.
 */
export class LoadProfile {
  readonly originMs: number
  readonly slotMs: number
  readonly slots: number
  private readonly plan: EnginePlan
  private readonly blockRises: Float64Array
  private readonly sessionRises: Float64Array
  private readonly stepRises: Float64Array
  private readonly stepSlopes: Float64Array
  private summed = false

  constructor(plan: EnginePlan, grid: { originMs: number; horizonMs: number; slotMs: number }) {
    this.plan = plan
    this.originMs = grid.originMs
    this.slotMs = grid.slotMs
    this.slots = Math.max(1, Math.ceil(grid.horizonMs / grid.slotMs))
    this.blockRises = new Float64Array(this.slots + 1)
    this.sessionRises = new Float64Array(this.slots + 1)
    this.stepRises = new Float64Array(this.slots + 1)
    this.stepSlopes = new Float64Array(this.slots + 1)
  }

  /** The time slot of a moment; 0 before the origin, `slots` after the horizon. */
  slotAt(atMs: number): number {
    const slot = Math.floor((atMs - this.originMs) / this.slotMs)
    return slot < 0 ? 0 : Math.min(slot, this.slots)
  }

  /**
   * Adds a leg. Its times include the lateness of its sender. An overdue lease counts at its peak
   * until the horizon.
   */
  addLeg(leg: LegTimes, pace: number, options: { overdue: boolean }): void {
    const { curve, tailMs } = this.plan
    const frameMs = frameMsOf(pace)
    const endMs = leg.startMs + leg.frames * frameMs + tailMs + RELEASE_GRACE_MS
    const from = this.slotAt(leg.openMs)
    const to = options.overdue ? this.slots : this.slotAfter(endMs)
    if (to <= from) return
    const peak = curve.peakBlocks(leg.frames)
    if (pace > 0) this.addStaircase(leg, frameMs, { from, to })
    else this.blockRises[from] = (this.blockRises[from] as number) + peak
    this.blockRises[to] = (this.blockRises[to] as number) - peak
    this.sessionRises[from] = (this.sessionRises[from] as number) + 1
    this.sessionRises[to] = (this.sessionRises[to] as number) - 1
    this.addStepCost(leg, frameMs, { from, to })
  }

  /** Adds a constant load between two moments: an average, or a reserve. */
  addLevel(
    level: { blocks: number; stepMs: number; sessions: number },
    range: { fromMs: number; toMs: number },
  ): void {
    const from = this.slotAt(range.fromMs)
    const to = this.slotAfter(range.toMs)
    if (to <= from) return
    this.sessionRises[from] = (this.sessionRises[from] as number) + level.sessions
    this.sessionRises[to] = (this.sessionRises[to] as number) - level.sessions
    this.blockRises[from] = (this.blockRises[from] as number) + level.blocks
    this.blockRises[to] = (this.blockRises[to] as number) - level.blocks
    this.stepRises[from] = (this.stepRises[from] as number) + level.stepMs
    this.stepRises[to] = (this.stepRises[to] as number) - level.stepMs
  }

  /** KV blocks by time slot; the array has one entry more than there are slots. */
  get blocks(): Float64Array {
    this.sum()
    return this.blockRises
  }

  /** Time of a step by time slot, in ms, without the engine's base time. */
  get stepMs(): Float64Array {
    this.sum()
    return this.stepRises
  }

  /** Open sessions by time slot. */
  get sessions(): Float64Array {
    this.sum()
    return this.sessionRises
  }

  /**
   * Adds the rises of a leg's blocks up to its release. Planning spends most of its time in this
   * loop, so rises before the first slot are added as one.
   */
  private addStaircase(leg: LegTimes, frameMs: number, range: { from: number; to: number }): void {
    const { curve } = this.plan
    const { stepFrames, stepBlocks } = curve
    const { from, to } = range
    const rises = this.blockRises
    const lastFrame = leg.frames - 1
    const startSlot = (leg.startMs - this.originMs) / this.slotMs
    const slotsPerFrame = frameMs / this.slotMs
    const beyond = Math.ceil((from + 1 - startSlot) / slotsPerFrame)
    const past = Math.max(0, Math.min(lastFrame, beyond))
    let held = curve.blocksAfter(past)
    rises[from] = (rises[from] as number) + held
    for (let at = curve.stepFrom(past); at < stepFrames.length; at += 1) {
      const frame = stepFrames[at] as number
      const slot = Math.floor(startSlot + frame * slotsPerFrame)
      if (frame >= lastFrame || slot >= to) break
      rises[slot] = (rises[slot] as number) + (stepBlocks[at] as number)
      held += stepBlocks[at] as number
    }
    const tail = Math.min(to, Math.max(from, Math.floor(startSlot + lastFrame * slotsPerFrame)))
    rises[tail] = (rises[tail] as number) + curve.peakBlocks(leg.frames) - held
  }

  private slotAfter(atMs: number): number {
    const slot = Math.ceil((atMs - this.originMs) / this.slotMs)
    return slot < 0 ? 0 : Math.min(slot, this.slots)
  }

  private addStepCost(leg: LegTimes, frameMs: number, range: { from: number; to: number }): void {
    const { stepModel } = this.plan
    if (stepModel === null) return
    // At twice real time a session costs two steps in the time in which others cost one.
    const stepsAtOnce = Math.max(1, STEP_MS / frameMs)
    const perSessionMs = stepModel.perSessionMs * stepsAtOnce
    const perFrameMs = stepModel.perFrameMs * stepsAtOnce
    const { from, to } = range
    const { stepRises, stepSlopes } = this
    const first = Math.min(to, Math.max(from, this.slotAt(leg.startMs)))
    const last = Math.min(to, this.slotAfter(leg.startMs + leg.frames * frameMs))
    const perSlotMs = (perFrameMs * this.slotMs) / frameMs
    const ageFrames = Math.max(0, Math.min(leg.frames, (this.originMs - leg.startMs) / frameMs))
    const startMs = perSessionMs + perFrameMs * ageFrames
    // Before its first audio a session takes part in no step.
    stepRises[first] = (stepRises[first] as number) + startMs
    const grownSlots = Math.max(0, last - first)
    if (grownSlots > 0) {
      stepSlopes[first] = (stepSlopes[first] as number) + perSlotMs
      stepSlopes[last] = (stepSlopes[last] as number) - perSlotMs
    }
    stepRises[to] = (stepRises[to] as number) - startMs - perSlotMs * grownSlots
  }

  private sum(): void {
    if (this.summed) return
    this.summed = true
    let blocks = 0
    let sessions = 0
    let stepMs = 0
    let slope = 0
    for (let slot = 0; slot <= this.slots; slot += 1) {
      blocks += this.blockRises[slot] as number
      sessions += this.sessionRises[slot] as number
      slope += this.stepSlopes[slot] as number
      stepMs += (this.stepRises[slot] as number) + slope
      this.blockRises[slot] = blocks
      this.sessionRises[slot] = sessions
      this.stepRises[slot] = stepMs
    }
  }
}
