import { type Clock, sleepFor } from '../kernel/clock.js'
import type { Random } from '../kernel/random.js'
import type { EngineDesk, LedgerStep } from './engine-desk.js'
import { type EnginePlan, frameMsOf } from './engine-plan.js'
import { type LaneRequest, type LegPlan, planLegs } from './lane-plan.js'
import type { Chain, Ledger, PlannedLeg } from './ledger.js'
import {
  lanesHolding,
  leasesOf,
  withChain,
  withLegBehind,
  withLegClosed,
  withoutChain,
} from './ledger-changes.js'
import { FRAME_MS } from './leg-curve.js'
import { type LeaseOwner, LegLease, SLIP_MAX_MS } from './leg-lease.js'
import type { CutOption, PlannedStretch } from './leg-planner.js'

/** How often a lane looks for better cuts, when nobody waits for room and when somebody does. */
const REPLAN_MS = 30_000
const REPLAN_PRESSED_MS = 4_000
/** How often a lane that waits for room asks again. */
const ASK_AGAIN_MS = 500
/** A parked lane takes what is free now, whatever others have planned, after so long. */
const PARKED_MAX_MS = 5_000
/** How often a lane without a pace looks how far it has come. */
const UNPACED_LOOK_MS = 50
/** A cut that is nearer than this isn't moved: the change-over begins. */
const FIX_AHEAD_MS = 300

/** What a lane needs to go through engines leg by leg. */
export interface LaneChainOptions {
  /** `<jobId>/<lane>` */
  chainId: string
  worker: string
  /** Multiple of real time; 0 for as fast as it goes. */
  pace: number
  live: boolean
  /** All cuts of the lane in order, the end last. */
  cuts: readonly CutOption[]
  clock: Clock
  random: Random
  /** Lanes of jobs that wait and would be let in if the others made room. */
  waitingLanes(): number
  /** The engine for the next leg; may be another one than that of the leg before. */
  chooseDesk(current: EngineDesk): EngineDesk
}

/**
 * One lane on its way through an engine. Four states: *waiting* for room for a leg, with nothing
 * held; *carried*, with one lease, whose end it moves as it sees better cuts; *changing* over, with
 * two; *over*, when no audio is left or `end` was called. Only one caller may be in `next`.
 */
export class LaneChain implements LeaseOwner {
  private readonly options: LaneChainOptions
  private desk: EngineDesk
  private readonly leases: LegLease[] = []
  /** Planned legs after the newest lease. */
  private ahead: { leg: PlannedLeg; stretch: PlannedStretch }[] = []
  private restFrames: number
  private fromFrame: number
  private nextIndex = 0
  private parkedSinceMs: number | null = null
  /** Monotonic; before it no leg is opened. */
  private notBeforeMs = 0
  /** With fewer leases on the engine it may be opened earlier. */
  private openBelowLeases = 0
  /** @param admitted the legs that the ledger grants already; null: it stands in none yet */
  constructor(
    options: LaneChainOptions,
    start: { desk: EngineDesk; fromFrame: number; admitted: LegPlan | null },
  ) {
    this.options = options
    this.desk = start.desk
    this.fromFrame = start.fromFrame
    this.restFrames = framesLeft(options.cuts, start.fromFrame)
    if (start.admitted) this.grant(start.admitted)
  }

  get chainId(): string {
    return this.options.chainId
  }

  /** The engine of its newest leg. */
  get engine(): string {
    return this.desk.engine
  }

  /**
   * Waits until the next leg is to be opened, and leases it: at once for the first one, then
   * shortly before the audio of the running one ends. Null when no audio is left.
   * @throws UpstreamError `queue_unavailable`; the signal's reason
   */
  async next(options: { signal: AbortSignal }): Promise<LegLease | null> {
    const granted = this.takeGranted()
    if (granted) return granted
    const running = this.leases.at(-1)
    if (!running) return await this.openAnew(options)
    for (;;) {
      await this.untilChangeOver(running, options)
      if (running.planned.cut === 'end') return null
      const changed = await this.changeOver(running, options)
      if (changed) return changed
      const { endFrame } = running.planned
      if (this.options.chooseDesk(this.desk) === this.desk) await this.replan(running, options)
      // No later cut is to be had either: this leg ends, and the lane waits for room.
      if (running.planned.endFrame <= endFrame) break
    }
    this.fromFrame = this.nextFrameAfter(running)
    this.notBeforeMs = running.dueMs(this.overFrame(running))
    return await this.openAnew(options)
  }

  /** Goes back to a frame, with nothing held: a leg failed, and is to be carried again. */
  async restart(options: {
    fromFrame: number
    delayMs: number
    /** Not so long, if fewer sessions run on the engine by then than now. */
    orFewerLeases: boolean
    signal: AbortSignal
  }): Promise<void> {
    await this.end(options)
    this.openBelowLeases = options.orFewerLeases ? leasesOf(this.desk.ledger).length : 0
    this.fromFrame = options.fromFrame
    this.restFrames = framesLeft(this.options.cuts, options.fromFrame)
    this.notBeforeMs = this.options.clock.monotonicMs() + options.delayMs
  }

  /** Gives back everything. */
  async end(options: { signal: AbortSignal }): Promise<void> {
    const desks = new Set([this.desk, ...this.leases.map(({ desk }) => desk)])
    this.leases.length = 0
    this.ahead = []
    this.parkedSinceMs = null
    for (const desk of desks) {
      await desk.change(options, (ledger) => {
        const isThere = ledger.chains.some(({ id }) => id === this.chainId)
        return { ledger: isThere ? withoutChain(ledger, this.chainId) : null, value: undefined }
      })
    }
  }

  /** See `LeaseOwner`. */
  async ask(lease: LegLease, behindMs: number, { signal }: { signal: AbortSignal }): Promise<void> {
    const startedMs = this.options.clock.monotonicMs()
    for (;;) {
      const waitedMs = this.options.clock.monotonicMs() - startedMs
      const nowBehindMs = Math.round(behindMs + waitedMs)
      const isGranted = await lease.desk.change({ signal }, (ledger, nowMs) =>
        this.askStep(lease, { ledger, nowMs, behindMs: nowBehindMs }),
      )
      if (isGranted) return
      await sleepFor(this.options.clock, ASK_AGAIN_MS / 2, { signal })
    }
  }

  /** See `LeaseOwner`. */
  async closed(lease: LegLease, { signal }: { signal: AbortSignal }): Promise<void> {
    const at = this.leases.indexOf(lease)
    if (at < 0) return // given back with all others
    this.leases.splice(at, 1)
    await lease.desk.change({ signal }, (ledger, nowMs) => {
      const options = { chainId: this.chainId, index: lease.index, nowMs }
      return { ledger: withLegClosed(ledger, options), value: undefined }
    })
  }

  private askStep(
    lease: LegLease,
    at: { ledger: Ledger; nowMs: number; behindMs: number },
  ): LedgerStep<boolean> {
    const { index, entry } = lease
    const isNews = at.behindMs - entry.behindMs > SLIP_MAX_MS
    if (isNews) lease.moved({ ...entry, behindMs: at.behindMs }, lease.planned)
    const { behindMs } = lease.entry
    const known = lease.desk === this.desk ? this.put(at.ledger) : at.ledger
    const told = isNews ? withLegBehind(known, { chainId: this.chainId, index, behindMs }) : known
    const isGranted = lease.desk.holds(told, at.nowMs)
    return { ledger: told === at.ledger ? null : told, value: isGranted }
  }

  /** The first leg that an admission has granted. */
  private takeGranted(): LegLease | null {
    if (this.leases.length > 0 || !this.ahead[0]?.leg.open) return null
    return this.lease(this.ahead.shift() as { leg: PlannedLeg; stretch: PlannedStretch })
  }

  private grant(legPlan: LegPlan): void {
    this.ahead = pairs(legPlan)
    this.restFrames = legPlan.restFrames
    this.nextIndex = (legPlan.legs[0]?.index ?? 0) + 1
    this.parkedSinceMs = null
  }

  private lease(granted: { leg: PlannedLeg; stretch: PlannedStretch }): LegLease {
    const { desk } = this
    const plan = desk.planOf(desk.ledger, desk.nowMs())
    const lease = new LegLease({
      ...granted,
      chainId: this.chainId,
      desk,
      plan,
      owner: this,
      pace: this.options.pace,
    })
    this.leases.push(lease)
    this.nextIndex = lease.index + 1
    return lease
  }

  /** Sleeps up to the change-over, moving the cut meanwhile as better ones are found. */
  private async untilChangeOver(
    running: LegLease,
    { signal }: { signal: AbortSignal },
  ): Promise<void> {
    const { clock, random } = this.options
    const soonMs = () => {
      const pressed = this.options.waitingLanes() > 0
      const everyMs = pressed ? REPLAN_PRESSED_MS : REPLAN_MS
      return clock.monotonicMs() + everyMs * (0.5 + random.uniform())
    }
    let replanMs = soonMs()
    for (;;) {
      const changeMs = this.changeMs(running)
      const nowMs = clock.monotonicMs()
      if (nowMs >= changeMs || running.ended.aborted) return
      if (changeMs - nowMs <= FIX_AHEAD_MS) {
        await this.sleep(running, changeMs, signal)
      } else if (nowMs >= replanMs && this.options.pace > 0) {
        await this.replan(running, { signal })
        replanMs = soonMs()
      } else {
        const wakeMs = Math.min(changeMs - FIX_AHEAD_MS, replanMs)
        const isPaced = this.options.pace > 0
        await this.sleep(running, isPaced ? wakeMs : nowMs + UNPACED_LOOK_MS, signal)
      }
    }
  }

  /** Wakes early when the session has ended. */
  private async sleep(running: LegLease, dueMs: number, signal: AbortSignal): Promise<void> {
    const either = AbortSignal.any([signal, running.ended])
    try {
      await this.options.clock.sleepUntil(dueMs, { signal: either })
    } catch (error) {
      if (signal.aborted) throw error
    }
  }

  /** When the next session is to be opened. */
  private changeMs(running: LegLease): number {
    const { openAheadMs } = this.desk.planOf(this.desk.ledger, this.desk.nowMs())
    if (this.options.pace > 0) return running.dueMs(this.overFrame(running)) - openAheadMs
    // As fast as the engine goes, nobody knows when: shortly before its end, by what was sent.
    const leftFrames = this.overFrame(running) - running.fromFrame - running.sentFrames
    const isNear = leftFrames * FRAME_MS <= openAheadMs
    return isNear ? this.options.clock.monotonicMs() : Number.POSITIVE_INFINITY
  }

  /** The frame of the running leg at whose time the next leg's first one is due. */
  private overFrame(running: LegLease): number {
    const { cut, endFrame } = running.planned
    return cut === 'quiet' ? this.nextFrameAfter(running) : endFrame
  }

  private nextFrameAfter(running: LegLease): number {
    const { endFrame } = running.planned
    const cut = this.options.cuts.find((each) => each.endFrame === endFrame)
    return cut?.nextFrame ?? endFrame
  }

  private async replan(running: LegLease, options: { signal: AbortSignal }): Promise<void> {
    const moved = await this.desk.change(options, (ledger, nowMs) => {
      const plan = this.desk.planOf(ledger, nowMs)
      if (plan.policy !== 'elastic') return NO_CHANGE
      const context = { nowMs, waitingLanes: this.options.waitingLanes() }
      const legPlan = planLegs(plan, ledger, this.runningRequest(running, plan), context)
      const next = withChain(ledger, this.chainWith(this.olderLegs(running), legPlan))
      return this.desk.holds(next, nowMs) ? { ledger: next, value: legPlan } : NO_CHANGE
    })
    if (moved) this.moveTo(running, moved)
  }

  private runningRequest(running: LegLease, plan: EnginePlan): LaneRequest {
    const { clock, pace } = this.options
    const { entry, fromFrame } = running
    const heardMs = clock.monotonicMs() - running.dueMs(fromFrame)
    const fixedMs = Math.max(0, heardMs) + plan.openAheadMs + FIX_AHEAD_MS
    return {
      ...this.request(),
      first: { openMs: entry.openMs, startMs: entry.startMs, fromFrame },
      earliestEndFrame: fromFrame + Math.ceil(fixedMs / frameMsOf(pace)),
      firstIndex: running.index,
      isOpen: true,
      behindMs: entry.behindMs,
      held: this.olderLegs(running),
    }
  }

  private moveTo(running: LegLease, legPlan: LegPlan): void {
    const [first, ...rest] = pairs(legPlan)
    if (first) running.moved(first.leg, first.stretch)
    this.ahead = rest
    this.restFrames = legPlan.restFrames
  }

  /** Leases the next leg beside the running one; null where there is no room for it. */
  private async changeOver(
    running: LegLease,
    options: { signal: AbortSignal },
  ): Promise<LegLease | null> {
    // On another engine it begins anew.
    if (this.options.chooseDesk(this.desk) !== this.desk) return null
    const overFrame = this.overFrame(running)
    const fromFrame = this.nextFrameAfter(running)
    const granted = await this.desk.change(options, (ledger, nowMs) => {
      const startMs = Math.max(nowMs, this.desk.toStore(running.dueMs(overFrame)))
      return this.openStep(ledger, nowMs, { openMs: nowMs, startMs, fromFrame })
    })
    return granted ? this.take(granted) : null
  }

  private take(granted: LegPlan): LegLease {
    this.grant(granted)
    return this.lease(this.ahead.shift() as { leg: PlannedLeg; stretch: PlannedStretch })
  }

  private openStep(
    ledger: Ledger,
    nowMs: number,
    first: LaneRequest['first'],
    mustFit = false,
  ): LedgerStep<LegPlan | null> {
    const plan = this.desk.planOf(ledger, nowMs)
    const held = this.openLegs()
    // A change-over counts once; who begins anew needs a place of his own.
    if (held.length === 0 && lanesHolding(ledger, this.chainId) >= plan.limits.lanes) {
      return NO_CHANGE
    }
    const request = { ...this.request(), first, isOpen: true, held }
    const context = { nowMs, waitingLanes: this.options.waitingLanes() }
    const legPlan = planLegs(plan, ledger, request, context)
    if (mustFit && !legPlan.fits) return NO_CHANGE
    const next = withChain(ledger, this.chainWith(this.openLegs(), legPlan))
    return this.desk.holds(next, nowMs) ? { ledger: next, value: legPlan } : NO_CHANGE
  }

  /** Leases a leg with none running: waits until there is room. */
  private async openAnew(options: { signal: AbortSignal }): Promise<LegLease> {
    const { clock } = this.options
    const sinceMs = clock.monotonicMs()
    for (;;) {
      const chosen = this.options.chooseDesk(this.desk)
      if (chosen !== this.desk) await this.moveToDesk(chosen, options)
      const isPressing = clock.monotonicMs() - sinceMs > PARKED_MAX_MS
      const granted = await this.desk.change(options, (ledger, nowMs) => {
        const { openAheadMs } = this.desk.planOf(ledger, nowMs)
        const dueMs = this.desk.toStore(this.notBeforeMs)
        const isEarly = dueMs > nowMs + openAheadMs
        const mayBeEarly = leasesOf(ledger).length < this.openBelowLeases
        if (isEarly && !mayBeEarly) return this.parkStep(ledger, nowMs)
        const startMs = mayBeEarly ? nowMs + openAheadMs : Math.max(nowMs + openAheadMs, dueMs)
        const first = { openMs: nowMs, startMs, fromFrame: this.fromFrame }
        const opened = this.openStep(ledger, nowMs, first, !isPressing)
        return opened.value ? opened : this.parkStep(ledger, nowMs)
      })
      if (granted) return this.take(granted)
      await sleepFor(clock, ASK_AGAIN_MS, options)
    }
  }

  /** Stands in the ledger as one that waits, so that nobody new is let in before it. */
  private parkStep(ledger: Ledger, nowMs: number): LedgerStep<null> {
    this.restFrames = framesLeft(this.options.cuts, this.fromFrame)
    this.ahead = []
    this.parkedSinceMs ??= Math.round(nowMs)
    const next = this.put(ledger)
    return { ledger: next === ledger ? null : next, value: null }
  }

  private async moveToDesk(desk: EngineDesk, { signal }: { signal: AbortSignal }): Promise<void> {
    const from = this.desk
    const held = this.openLegs()
    await from.change({ signal }, (ledger) => {
      // What is still open there is closed by its own lease.
      const chain = { ...this.chainWith(held, NOTHING_AHEAD), restFrames: 0, parkedSinceMs: null }
      const without = withoutChain(ledger, this.chainId)
      return { ledger: held.length > 0 ? withChain(without, chain) : without, value: undefined }
    })
    this.desk = desk
    this.parkedSinceMs = null
  }

  /** The ledger with this chain as this process knows it: it may have been lost, or reclaimed. */
  private put(ledger: Ledger): Ledger {
    const legs = [...this.openLegs(), ...this.ahead.map(({ leg }) => leg)]
    const { restFrames, parkedSinceMs } = this
    const stands = ledger.chains.find(({ id }) => id === this.chainId)
    const isSame =
      stands !== undefined &&
      stands.parkedSinceMs === parkedSinceMs &&
      stands.restFrames === restFrames &&
      stands.legs.length === legs.length &&
      stands.legs.every((leg, at) => leg.index === legs[at]?.index && leg.open === legs[at]?.open)
    return isSame ? ledger : withChain(ledger, this.chainWith(legs, { legs: [], restFrames }))
  }

  private chainWith(
    held: readonly PlannedLeg[],
    planned: { legs: readonly PlannedLeg[]; restFrames: number },
  ): Chain {
    const { chainId: id, worker, pace, live } = this.options
    const planning = planned.legs[0]?.index ?? Number.POSITIVE_INFINITY
    const older = held.filter((leg) => leg.index < planning)
    const legs = [...older, ...planned.legs]
    const parkedSinceMs = planned.legs.some((leg) => leg.open) ? null : this.parkedSinceMs
    return { id, worker, pace, live, legs, restFrames: planned.restFrames, parkedSinceMs }
  }

  private openLegs(): PlannedLeg[] {
    return this.leases.filter(({ desk }) => desk === this.desk).map(({ entry }) => entry)
  }

  private olderLegs(running: LegLease): PlannedLeg[] {
    return this.openLegs().filter(({ index }) => index < running.index)
  }

  private request(): Omit<LaneRequest, 'first' | 'isOpen' | 'held'> {
    const { chainId, pace, cuts } = this.options
    const firstIndex = this.nextIndex
    return { chainId, pace, cuts, earliestEndFrame: 0, firstIndex, behindMs: 0 }
  }
}

const NO_CHANGE = { ledger: null, value: null } as const
const NOTHING_AHEAD = { legs: [], restFrames: 0 } as const

function pairs({ legs, stretches }: LegPlan): { leg: PlannedLeg; stretch: PlannedStretch }[] {
  return legs.map((leg, at) => ({ leg, stretch: stretches[at] as PlannedStretch }))
}

/** Frames from one on that are still to be replayed. */
function framesLeft(cuts: readonly CutOption[], fromFrame: number): number {
  let end = fromFrame
  let skipped = 0
  for (const { endFrame, nextFrame, kind } of cuts) {
    if (endFrame <= fromFrame) continue
    end = endFrame
    if (kind === 'skip') skipped += nextFrame - endFrame
  }
  return Math.max(0, end - fromFrame - skipped)
}
