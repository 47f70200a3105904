import { type Clock, sleepFor } from '../../kernel/clock.js'
import type { Random } from '../../kernel/random.js'
import { STEP_MS } from '../../model/pcm.js'
import { ChainEntry } from '../ledger/chain-entry.js'
import type { Ledger, PlannedLeg } from '../ledger/ledger.js'
import { leasesOf, withChain, withLegClosed } from '../ledger/ledger-changes.js'
import { type LedgerClient, type LedgerStep, NO_CHANGE } from '../ledger/ledger-client.js'
import { changePatiently } from '../ledger/patient-change.js'
import { type CutSource, LaneCuts } from '../legs/lane-cuts.js'
import { type LaneRequest, type LegPlan, legsOf, planLegs } from '../legs/plan-legs.js'
import type { PlannedSegment } from '../legs/planned-segment.js'
import { askForBlock } from './ask-for-block.js'
import { untilChangeOver } from './change-over-wait.js'
import { type LeaseOwner, LegLease } from './leg-lease.js'
import type { LocalChain } from './local-chains.js'
import { runningRequest } from './running-request.js'

/** How often, in ms, a lane without a session asks again for room. */
const ASK_AGAIN_MS = 1_000
/** After this wait a parked lane takes blocks that are free now, even where others planned them. */
const PARKED_MAX_MS = 5_000
/** A lane that has found no room on one engine for this long tries the next engine. */
const STUCK_AFTER_MS = 30_000

/** A lane, and what it asks about the rest of the worker. */
export interface LaneChainOptions {
  /** `<jobId>/<lane>` */
  chainId: string
  worker: string
  /** Multiple of real time; 0 for as fast as it goes. */
  pace: number
  live: boolean
  cuts: CutSource
  clock: Clock
  random: Random
  /** Number of waiting lanes that an engine would admit if its running lanes made room. */
  waitingLanes(client: LedgerClient): number
  /**
   * The engine for the next leg; may be another one than that of the leg before.
   * @param isStuck the current one has had no room for 30 s
   */
  chooseEngine(current: LedgerClient, isStuck: boolean): LedgerClient
}

/**
 * The leases of one lane, leg after leg. Four states: *waiting* for room, with no lease; *running*,
 * with one lease, whose end moves to better cuts; *changing* over, with two leases; *over*, when no
 * audio is left or `end` was called. Only one caller may be in `next`.
 *
 * The leases here and the ledger change in one turn of the ledger client. A decision between the
 * two changes would be made on leases that the ledger doesn't have.
 */
export class LaneChain implements LeaseOwner, LocalChain {
  /** `end` was called. */
  isOver = false
  private readonly options: LaneChainOptions
  private readonly laneCuts: LaneCuts
  private readonly entry: ChainEntry
  private client: LedgerClient
  private readonly leases: LegLease[] = []
  /** Planned legs after the newest lease. */
  private ahead: { leg: PlannedLeg; segment: PlannedSegment }[] = []
  private restFrames: number
  private fromFrame: number
  private nextIndex = 0
  private parkedSinceMs: number | null = null
  /** No leg is opened before this moment of the monotonic clock. */
  private notBeforeMs = 0
  /** A leg may be opened before that moment where the engine has fewer leases than this. */
  private openBelowLeases = 0
  /** The engine that evicted its session: on any other the next leg needn't wait. */
  private evictedFrom: LedgerClient | null = null

  /** @param start.admitted legs that the ledger grants already; null: the chain is in no ledger */
  constructor(
    options: LaneChainOptions,
    start: { client: LedgerClient; fromFrame: number; admitted: LegPlan | null },
  ) {
    this.options = options
    this.laneCuts = new LaneCuts(options.cuts)
    this.entry = new ChainEntry(options)
    this.client = start.client
    this.fromFrame = start.fromFrame
    this.restFrames = this.laneCuts.framesLeft(start.fromFrame)
    if (start.admitted) this.grant(start.admitted)
  }

  get chainId(): string {
    return this.options.chainId
  }

  /** See `LocalChain`. */
  isAt(engine: string): boolean {
    return this.engine === engine || this.leases.some(({ client }) => client.engine === engine)
  }

  /** Id of the engine of the newest leg. */
  get engine(): string {
    return this.client.engine
  }

  /**
   * Waits until the next leg is to be opened, and leases it: at once for the first one, then
   * shortly before the audio of the running one ends. Null when no audio is left.
   * @throws UpstreamError when the ledger can't be had for a minute; the signal's reason
   */
  async next(options: { signal: AbortSignal }): Promise<LegLease | null> {
    const granted = this.takeGranted()
    if (granted) return granted
    const running = this.leases.at(-1)
    if (!running) return await this.openAnew(options)
    for (;;) {
      await this.untilChangeOver(running, options)
      if (this.laneCuts.isLast(running.planned)) return null
      const changed = await this.changeOver(running, options)
      if (changed) return changed
      const { endFrame } = running.planned
      const isStaying = this.options.chooseEngine(this.client, false) === this.client
      // On an engine with one lane too many the leg ends here, and the lane waits: a later cut
      // would keep the others out for longer.
      if (isStaying && !this.client.isFullFor(this.options)) await this.replan(running, options)
      // No later cut fits, so the leg ends here and the lane waits for room without a session.
      if (running.planned.endFrame <= endFrame) break
    }
    this.fromFrame = this.laneCuts.nextFrame(running.planned)
    this.notBeforeMs = this.overMs(running)
    return await this.openAnew(options)
  }

  /** Gives back all leases and goes back to a frame, because a leg failed and is replayed. */
  async restart(options: {
    fromFrame: number
    delayMs: number
    /** Ends the delay early once fewer sessions run on the engine than now. */
    orFewerLeases: boolean
    signal: AbortSignal
  }): Promise<void> {
    const { signal } = options
    await this.giveBack((client, step) => this.change(client, { signal }, step))
    this.openBelowLeases = options.orFewerLeases ? leasesOf(this.client.ledger).length : 0
    this.evictedFrom = options.orFewerLeases ? this.client : null
    this.fromFrame = options.fromFrame
    this.restFrames = this.laneCuts.framesLeft(options.fromFrame)
    this.notBeforeMs = this.options.clock.monotonicMs() + options.delayMs
  }

  /**
   * Gives back all leases for good. Where the ledger can't be written, the engine's controller
   * removes the chain later, because no lane of this process owns it any more.
   */
  async end(options: { signal: AbortSignal }): Promise<void> {
    this.isOver = true
    await this.giveBack((client, step) => client.change(options, step))
  }

  private async giveBack(
    change: (client: LedgerClient, step: (ledger: Ledger) => LedgerStep<null>) => Promise<null>,
  ): Promise<void> {
    const clients = new Set([this.client, ...this.leases.map(({ client }) => client)])
    this.leases.length = 0
    this.ahead = []
    this.parkedSinceMs = null
    const gone = (ledger: Ledger) => ({ ledger: this.entry.without(ledger), value: null })
    // One ledger that can't be written must not keep the leases in the others.
    const changes = await Promise.allSettled([...clients].map((client) => change(client, gone)))
    for (const each of changes) if (each.status === 'rejected') throw each.reason
  }

  /** See `LeaseOwner`. */
  async ask(lease: LegLease, frame: number, { signal }: { signal: AbortSignal }): Promise<void> {
    const { clock, random } = this.options
    const restore = (ledger: Ledger) => this.restored(lease, ledger)
    await askForBlock(lease, { frame, clock, random, signal, restore })
  }

  /** See `LeaseOwner`. */
  exists(lease: LegLease): boolean {
    return this.entry.has(lease.client.ledger, lease.entry)
  }

  /** See `LeaseOwner`. */
  async closed(lease: LegLease, options: { signal: AbortSignal }): Promise<void> {
    const at = this.leases.indexOf(lease)
    if (at < 0) return // given back with all others
    this.leases.splice(at, 1)
    const { index } = lease
    await this.change(lease.client, options, (ledger, nowMs) => {
      if (!this.entry.isOurs(ledger)) return NO_CHANGE
      const closed = withLegClosed(ledger, { chainId: this.chainId, index, nowMs })
      return { ledger: closed === ledger ? null : closed, value: null }
    })
  }

  /**
   * The ledger with this chain as this process knows it, because Redis may have lost the chain, or
   * a controller may have reclaimed it. Null where another worker has its room.
   */
  private restored(lease: LegLease, ledger: Ledger): Ledger | null {
    if (!lease.isUsed) return this.entry.current(ledger, lease.entry)
    if (!this.entry.isOurs(ledger)) return null
    if (lease.client !== this.client) return this.entry.withLeg(ledger, lease.entry)
    return this.put(ledger)
  }

  private put(ledger: Ledger): Ledger {
    const { restFrames, parkedSinceMs } = this
    const legs = [...this.openLegs(ledger), ...this.ahead.map(({ leg }) => leg)]
    return this.entry.put(ledger, { legs, restFrames, parkedSinceMs })
  }

  private async change<T>(
    client: LedgerClient,
    { signal }: { signal: AbortSignal },
    step: (ledger: Ledger, nowMs: number) => LedgerStep<T>,
    settle?: (value: T) => void,
  ): Promise<T> {
    const { clock, random } = this.options
    return await changePatiently(client, { clock, random, signal }, step, settle)
  }

  /** The lease of the first leg where the admission has granted it; null once it was taken. */
  private takeGranted(): LegLease | null {
    return this.leases.length === 0 && this.ahead[0]?.leg.open ? this.lease() : null
  }

  private grant(legPlan: LegPlan): void {
    this.ahead = legsOf(legPlan)
    this.restFrames = legPlan.restFrames
    this.nextIndex = (legPlan.legs[0]?.index ?? 0) + 1
    this.parkedSinceMs = null
  }

  /** Makes a lease of the first planned leg, which the ledger has as open. */
  private lease(): LegLease {
    const { client, chainId, options } = this
    const plan = client.planOf(client.ledger, client.nowMs(), options)
    const granted = this.ahead.shift() as { leg: PlannedLeg; segment: PlannedSegment }
    const lease = new LegLease({
      ...granted,
      chainId,
      client,
      plan,
      owner: this,
      pace: options.pace,
    })
    this.leases.push(lease)
    // An older leg that runs still may fail, and be replayed from its first frame.
    this.laneCuts.forgetBefore(this.leases[0]?.fromFrame ?? lease.fromFrame)
    this.nextIndex = lease.index + 1
    return lease
  }

  /** Waits until the next leg is to be opened, and moves the end of the running one meanwhile. */
  private async untilChangeOver(
    running: LegLease,
    options: { signal: AbortSignal },
  ): Promise<void> {
    const { clock, random, pace } = this.options
    const wait = {
      ...{ clock, random },
      changeMs: () => this.overMs(running) - this.client.openAheadMs,
      // Of a lane that is being spoken better cuts come with every pause.
      isPressed: () => this.laneCuts.isGrowing || this.options.waitingLanes(this.client) > 0,
      completed: this.laneCuts.completed,
      replan: () => this.replan(running, options),
    }
    if (pace > 0) return await untilChangeOver(running, wait, options)
    // Without a pace no clock tells when the leg ends: the number of frames sent does.
    const overFrames = this.laneCuts.overFrame(running.planned) - running.fromFrame
    const aheadFrames = Math.ceil(this.client.openAheadMs / STEP_MS)
    await running.arrival(Math.max(0, overFrames - aheadFrames), options)
  }

  /** When the first frame after a leg is due; without a pace no frame has a time: now. */
  private overMs(running: LegLease): number {
    const { pace, clock } = this.options
    if (pace === 0) return clock.monotonicMs()
    return running.dueMs(this.laneCuts.overFrame(running.planned))
  }

  private async replan(running: LegLease, options: { signal: AbortSignal }): Promise<void> {
    const step = (ledger: Ledger, nowMs: number): LedgerStep<LegPlan | null> => {
      const { options, client } = this
      const plan = client.planOf(ledger, nowMs, options)
      const isMovable = plan.policy === 'elastic' || this.laneCuts.completed !== null
      if (!isMovable || !this.entry.isOurs(ledger)) return NO_CHANGE
      if (running.isSpent) return NO_CHANGE
      const context = { nowMs, waitingLanes: options.waitingLanes(client) }
      const lane = { ...this.request(), held: this.olderLegs(running) }
      const clockMs = options.clock.monotonicMs()
      const request = runningRequest(lane, running, { plan, nowMs, clockMs })
      // Frames that may lie behind the new end are held back until the ledger has it: a leg whose
      // sender is past its end would hold blocks that the ledger doesn't count.
      running.holdAt(request.earliestEndFrame - running.fromFrame - 1)
      const legPlan = planLegs(plan, client.ledgerOf(ledger, options), request, context)
      const next = withChain(ledger, this.entry.chain(this.olderLegs(running), legPlan))
      return client.leasesFit(next, nowMs, options) ? { ledger: next, value: legPlan } : NO_CHANGE
    }
    try {
      await this.change(this.client, options, step, (moved) => {
        if (moved) this.moveTo(running, moved)
      })
    } finally {
      running.releaseHold()
    }
  }

  private moveTo(running: LegLease, legPlan: LegPlan): void {
    const [first, ...rest] = legsOf(legPlan)
    if (first) running.moved(first.leg, first.segment)
    this.ahead = rest
    this.restFrames = legPlan.restFrames
  }

  /** Leases the next leg beside the running one; null where there is no room for it. */
  private async changeOver(
    running: LegLease,
    options: { signal: AbortSignal },
  ): Promise<LegLease | null> {
    // A leg on another engine is opened by `openAnew`, once this one has ended.
    if (this.options.chooseEngine(this.client, false) !== this.client) return null
    const fromFrame = this.laneCuts.nextFrame(running.planned)
    return await this.leaseNext(options, (ledger, nowMs) => {
      const startMs = Math.max(nowMs, this.client.toStore(this.overMs(running)))
      return this.openStep(ledger, nowMs, { openMs: nowMs, startMs, fromFrame })
    })
  }

  private async leaseNext(
    options: { signal: AbortSignal },
    step: (ledger: Ledger, nowMs: number) => LedgerStep<LegPlan | null>,
  ): Promise<LegLease | null> {
    let lease: LegLease | null = null
    await this.change(this.client, options, step, (granted) => {
      if (!granted) return
      this.grant(granted)
      lease = this.lease()
    })
    return lease
  }

  private openStep(
    ledger: Ledger,
    nowMs: number,
    first: LaneRequest['first'],
    mustFit = false,
  ): LedgerStep<LegPlan | null> {
    const { options, client } = this
    const plan = client.planOf(ledger, nowMs, options)
    const held = this.openLegs()
    if (client.isFullFor(options, ledger) || !this.entry.isOurs(ledger)) return NO_CHANGE
    const request = { ...this.request(), first, held }
    const context = { nowMs, waitingLanes: options.waitingLanes(client) }
    const legPlan = planLegs(plan, client.ledgerOf(ledger, options), request, context)
    if (mustFit && !legPlan.fits) return NO_CHANGE
    const next = withChain(ledger, this.entry.chain(held, legPlan))
    return client.leasesFit(next, nowMs, options) ? { ledger: next, value: legPlan } : NO_CHANGE
  }

  /** Leases a leg with none running: waits until there is room. */
  private async openAnew(options: { signal: AbortSignal }): Promise<LegLease | null> {
    const { clock } = this.options
    let sinceMs = clock.monotonicMs()
    for (;;) {
      // A growing lane may come to its end while it waits.
      if (!this.laneCuts.isGrowing && this.laneCuts.framesLeft(this.fromFrame) === 0) return null
      const waitedMs = clock.monotonicMs() - Math.max(sinceMs, this.notBeforeMs)
      const chosen = this.options.chooseEngine(this.client, waitedMs > STUCK_AFTER_MS)
      if (chosen !== this.client) {
        await this.moveToEngine(chosen, options)
        sinceMs = clock.monotonicMs()
      }
      const isPressing = waitedMs > PARKED_MAX_MS
      const lease = await this.leaseNext(options, (ledger, nowMs) => {
        const opened = this.openAnewStep(ledger, nowMs, isPressing)
        return opened.value ? opened : this.parkStep(ledger, nowMs)
      })
      if (lease) return lease
      // A lane whose delay ends soon asks at that moment: lanes that failed together have delays by
      // chance, and would ask together again at the next full second.
      const earlyMs = this.earlyMs()
      const waitMs = earlyMs > 0 ? Math.min(Math.max(1, earlyMs), ASK_AGAIN_MS) : ASK_AGAIN_MS
      await sleepFor(clock, waitMs, options)
    }
  }

  private openAnewStep(
    ledger: Ledger,
    nowMs: number,
    isPressing: boolean,
  ): LedgerStep<LegPlan | null> {
    const { openAheadMs } = this.client
    const dueMs = this.client.toStore(this.notBeforeMs)
    const isElsewhere = this.evictedFrom !== null && this.evictedFrom !== this.client
    const mayBeEarly = isElsewhere || leasesOf(ledger).length < this.openBelowLeases
    if (this.earlyMs() > 0 && !mayBeEarly) return NO_CHANGE
    const startMs = mayBeEarly ? nowMs + openAheadMs : Math.max(nowMs + openAheadMs, dueMs)
    return this.openStep(
      ledger,
      nowMs,
      { openMs: nowMs, startMs, fromFrame: this.fromFrame },
      !isPressing,
    )
  }

  /** Time in ms until the lane's delay is over, less the time that a session takes to open. */
  private earlyMs(): number {
    return this.notBeforeMs - this.client.openAheadMs - this.options.clock.monotonicMs()
  }

  /** Notes the chain in the ledger as parked, so that no new job is admitted before it. */
  private parkStep(ledger: Ledger, nowMs: number): LedgerStep<null> {
    if (!this.entry.isOurs(ledger)) return NO_CHANGE
    this.restFrames = this.laneCuts.framesLeft(this.fromFrame)
    this.ahead = []
    this.parkedSinceMs ??= Math.round(nowMs)
    const next = this.put(ledger)
    return { ledger: next === ledger ? null : next, value: null }
  }

  private async moveToEngine(
    client: LedgerClient,
    options: { signal: AbortSignal },
  ): Promise<void> {
    await this.change(this.client, options, (ledger) => {
      return { ledger: this.entry.withOnly(ledger, this.openLegs(ledger)), value: null }
    })
    this.client = client
    this.parkedSinceMs = null
  }

  /** @param inLedger leaves out leases without audio yet that this ledger has given to others */
  private openLegs(inLedger?: Ledger): PlannedLeg[] {
    const isLost = ({ isUsed, entry }: LegLease) =>
      inLedger && !isUsed && !this.entry.current(inLedger, entry)
    const here = this.leases.filter((each) => each.client === this.client && !isLost(each))
    return here.map(({ entry }) => entry)
  }

  private olderLegs(running: LegLease): PlannedLeg[] {
    return this.openLegs().filter(({ index }) => index < running.index)
  }

  private request(): Omit<LaneRequest, 'first' | 'held'> {
    const { chainId, pace } = this.options
    const { cuts } = this.laneCuts
    return { chainId, pace, cuts, earliestEndFrame: 0, firstIndex: this.nextIndex, running: null }
  }
}
