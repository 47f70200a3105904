import { STEP_MS } from '../../model/pcm.js'
import type { PlannedLeg } from '../ledger/ledger.js'
import { type EnginePlan, frameMsOf, RELEASE_GRACE_MS } from './engine-plan.js'

/** A leg as it is added to a profile. */
export type LegTimes = Pick<PlannedLeg, 'openMs' | 'startMs' | 'frames'>

/**
 * What an engine is asked to carry at every moment from now on, as sums over a grid of cells. A
 * leg counts in every cell that it touches with the most that it holds there, so the sums are
 * never too small and at most one cell early or late.
 *
 * Two modes: *gathering*, while legs are added; and *summed*, from the first look at `blocks`,
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

  /** The cell of a moment; before the origin 0, after the horizon `cells`. */
  slotAt(atMs: number): number {
    const slot = Math.floor((atMs - this.originMs) / this.slotMs)
    return slot < 0 ? 0 : Math.min(slot, this.slots)
  }

  /**
   * Adds a leg; times are as late as it is. A lease that is past its planned end counts at its peak
   * to the horizon.
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

  /** Adds a level between two moments: an average, or a reserve. */
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

  /** KV blocks by cell; the array has one entry more than there are cells. */
  get blocks(): Float64Array {
    this.sum()
    return this.blockRises
  }

  /** Time of a step by cell, without the engine's base. */
  get stepMs(): Float64Array {
    this.sum()
    return this.stepRises
  }

  /** Open sessions by cell. */
  get sessions(): Float64Array {
    this.sum()
    return this.sessionRises
  }

  /** The blocks of a leg up to its release. The hottest loop: most of it is ahead or past. */
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
    // At twice real time a session takes part in two steps where the others take part in one.
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
    // Before its first audio it takes part in no step.
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
