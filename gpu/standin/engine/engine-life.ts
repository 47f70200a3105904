import type { Fault } from '../faults/fault-kinds.js'
import { FaultPlan } from '../faults/faults.js'
import type { SessionFaults } from '../faults/session-faults.js'
import { Alarm } from './alarm.js'
import { type EngineDeath, StandinEngine, type StandinSettings } from './standin-engine.js'

/** Called when the engine process goes down or comes up. */
export interface LifeEvents {
  /** All connections are closed, and new ones are refused. */
  down(): void
  /** A new engine runs; new connections go to it. */
  up(): void
  /** The engine is down for good. */
  over(): void
}

/**
 * Successive engine processes on one address, and the faults of their connections. Four modes: up;
 * dying, when the engine is dead and its connections are not closed yet; down, until it is
 * restarted or for good; ended.
 */
export class EngineLife {
  private readonly settings: StandinSettings
  private readonly events: LifeEvents
  private readonly plan: FaultPlan
  private readonly alarm: Alarm
  private current: StandinEngine
  private onAlarm: () => void = () => {}
  private opened = 0

  constructor(settings: StandinSettings, faults: readonly Fault[], events: LifeEvents) {
    this.settings = settings
    this.events = events
    this.plan = new FaultPlan(faults)
    this.alarm = new Alarm(settings.clock, () => this.onAlarm())
    this.current = this.newEngine()
  }

  /** The engine that runs, or ran last. */
  get engine(): StandinEngine {
    return this.current
  }

  /** The faults of the next connection. */
  deal(): SessionFaults {
    const faults = this.plan.deal(this.opened)
    this.opened += 1
    return faults
  }

  /** Replaces the faults; existing connections keep theirs. */
  setFaults(faults: readonly Fault[]): void {
    this.plan.set(faults)
  }

  /** Kills the engine process, as the fault `engine_death` does. */
  kill(death: Partial<EngineDeath> = {}): void {
    this.current.die({ closeMs: 0, downMs: -1, abrupt: 0, term: 0, abortDeltas: 0, ...death })
  }

  /** Closes every connection with 1012; no engine is started after this one. */
  end(): void {
    this.alarm.cancel()
    this.current.closeAll(1012)
  }

  private newEngine(): StandinEngine {
    return new StandinEngine(this.settings, (death) => this.die(death))
  }

  private die({ abrupt, term, closeMs, downMs }: EngineDeath): void {
    if (abrupt || term) this.goDown(downMs)
    else this.after(closeMs, () => this.goDown(downMs))
  }

  private goDown(downMs: number): void {
    this.current.closeAll(1012)
    this.events.down()
    if (downMs < 0) this.events.over()
    else this.after(downMs, () => this.restart())
  }

  private restart(): void {
    this.current = this.newEngine()
    this.events.up()
  }

  private after(delayMs: number, act: () => void): void {
    this.onAlarm = act
    this.alarm.set(delayMs)
  }
}
