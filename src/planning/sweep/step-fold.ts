import assert from 'node:assert/strict'
import type { SweepEvent } from './events.js'
import { foldGauges, type GaugeSums, newGaugeSums, noteTurn } from './gauge-sums.js'
import { KvTrace } from './kv-trace.js'
import { SessionTrace } from './session-trace.js'
import { SpreadMeter } from './spread.js'

type Of<K extends SweepEvent['kind']> = Extract<SweepEvent, { kind: K }>

/** The sums of the events of one step. */
export interface StepSums {
  started: Of<'step_started'>
  /** Null while the step runs, and where the file ends before the step does. */
  ended: Of<'step_ended'> | null
  warmUp: Of<'warmed_up'> | Of<'warm_up_failed'> | null
  sessions: ReadonlyMap<number, SessionTrace>
  lagMs: SpreadMeter
  slipMs: SpreadMeter
  /** Deltas of all sessions, by whole second since the start of the step. */
  deltasBySecond: readonly number[]
  gauges: GaugeSums
  kv: KvTrace | null
}

/**
 * Adds up the events of one step, from its `step_started` on, in the order of the file. It needs
 * 8 bytes of memory for each frame of its sessions, and none for each delta.
 */
export class StepFold {
  private readonly sessions = new Map<number, SessionTrace>()
  private readonly lagMs = new SpreadMeter()
  private readonly slipMs = new SpreadMeter()
  private readonly deltasBySecond: number[] = []
  private readonly gauges: GaugeSums
  private readonly kv: KvTrace | null
  private readonly started: Of<'step_started'>
  private warmUp: StepSums['warmUp'] = null
  private ended: Of<'step_ended'> | null = null

  constructor(started: Of<'step_started'>) {
    this.started = started
    this.kv = started.kvModel === null ? null : new KvTrace(started.kvModel)
    this.gauges = newGaugeSums(started.othersConnected)
  }

  sums(): StepSums {
    const { started, ended, warmUp, sessions, lagMs, slipMs, deltasBySecond, gauges, kv } = this
    return { started, ended, warmUp, sessions, lagMs, slipMs, deltasBySecond, gauges, kv }
  }

  take(event: SweepEvent): void {
    assert.equal(this.ended, null, 'nothing follows the end of a step')
    switch (event.kind) {
      case 'frame':
        this.session(event.session).frameSent(event.atMs)
        this.slipMs.record(event.slipMs, event.session)
        return
      case 'delta':
        this.takeDelta(event)
        return
      case 'ended':
        this.takeEnd(event)
        return
      case 'gauges':
        this.takeGauges(event)
        return
      case 'warmed_up':
      case 'warm_up_failed':
        this.warmUp = event
        return
      case 'step_ended':
        this.kv?.passed(Number.POSITIVE_INFINITY)
        this.ended = event
        return
      case 'sweep_started':
      case 'step_started':
        assert.fail(`${event.kind} inside a step`)
        break
      default:
        this.takeMark(event)
    }
  }

  private takeMark(event: Of<'arrived' | 'opened' | 'created' | 'audio_ended' | 'done'>): void {
    const session = this.session(event.session)
    if (event.kind === 'arrived') session.arrivedMs = event.atMs
    else if (event.kind === 'created') session.createdMs = event.atMs
    else if (event.kind === 'audio_ended') session.audioEndedMs = event.atMs
    else if (event.kind === 'opened') {
      session.openedMs = event.atMs
      noteTurn(this.gauges, 1, event.atMs)
      this.kv?.turned(event.session, event.atMs)
    } else {
      session.doneMs = event.atMs
      this.kv?.turned(event.session, event.atMs)
    }
  }

  private takeDelta({ session: index, atMs, hasText }: Of<'delta'>): void {
    const session = this.session(index)
    const lagMs = session.delta(atMs, hasText)
    if (lagMs !== null) this.noteLag(session, index, lagMs)
    const second = Math.floor((atMs - this.started.atMs) / 1000)
    while (this.deltasBySecond.length <= second) this.deltasBySecond.push(0)
    this.deltasBySecond[second] = (this.deltasBySecond[second] ?? 0) + 1
    this.kv?.delta(index, session.deltas, atMs)
  }

  private takeEnd(event: Of<'ended'>): void {
    const session = this.session(event.session)
    session.ended = event
    if (session.openedMs !== null) noteTurn(this.gauges, -1, event.atMs)
    if (session.doneMs !== null) return
    for (const lagMs of session.missingMs(event.atMs)) this.noteLag(session, event.session, lagMs)
    this.kv?.turned(event.session, event.atMs)
  }

  private takeGauges(event: Of<'gauges'>): void {
    this.kv?.passed(event.requestedMs)
    this.kv?.measured(event.kvBlocks, event)
    foldGauges(this.gauges, event)
  }

  private noteLag(session: SessionTrace, index: number, lagMs: number): void {
    session.lag.record(lagMs)
    this.lagMs.record(lagMs, index)
  }

  private session(index: number): SessionTrace {
    const known = this.sessions.get(index)
    if (known) return known
    const session = new SessionTrace()
    this.sessions.set(index, session)
    return session
  }
}
