import type { Clock } from '../../../src/kernel/clock.js'
import { StopRequested } from '../../../src/kernel/errors.js'
import { type StepModel, stepCostMs } from '../../../src/model/step-model.js'
import type { BatchScheduler, Sequence } from './batch-scheduler.js'

/** The part of a session that the loop drives. */
export interface Stepper extends Sequence {
  /** Does all work that needs no step. @returns true when the frame of its next step has come */
  prepare(): boolean
  /** Called when a step that it took part in is over. */
  advance(): void
}

/** The scheduler, the time of a step and the clock of a step loop. */
export interface StepLoopOptions {
  scheduler: BatchScheduler<Stepper>
  /** How long a step takes; null: no time. */
  stepModel: StepModel | null
  clock: Clock
  /** Calls a function after work that is already queued: sockets, promises. */
  defer: (turn: () => void) => void
}

/**
 * The engine's steps. Each is taken by all sessions whose next frame has come, as far as the
 * scheduler admits them. Three modes:
 * - asleep: no awake session can step; a wake or a release ends it;
 * - between steps: the next batch is about to be chosen;
 * - in a step: the batch is being computed, for as long as the step model says. Sessions that
 *   become ready meanwhile take part in the next step, so an overloaded engine falls behind.
 */
export class StepLoop {
  private readonly options: StepLoopOptions
  private readonly awake = new Set<Stepper>()
  private readonly batch = new Set<Stepper>()
  private readonly stopped = new AbortController()
  private isAsleep = true
  /** True when a session was woken or released while the loop wasn't asleep. */
  private hasNews = false
  /**
   * When the last step ended, in ms; the next step begins then, unless the loop slept in between.
   */
  private stepEndMs: number | null = null

  constructor(options: StepLoopOptions) {
    this.options = options
  }

  /** Number of sessions in the step that is being computed. */
  get running(): number {
    return this.batch.size
  }

  /** Tells the loop that this session may have a step to take. */
  wake(stepper: Stepper): void {
    this.awake.add(stepper)
    this.stir()
  }

  /** Ends a session's utterance: frees its blocks; no steps until it is woken again. */
  forget(stepper: Stepper): void {
    this.awake.delete(stepper)
    this.batch.delete(stepper)
    this.options.scheduler.release(stepper)
    if (this.awake.size > 0) this.stir()
  }

  /** Stops the loop: no step is taken any more. */
  stop(): void {
    this.stopped.abort(new StopRequested('canceled', 'The stand-in engine has ended.'))
  }

  private stir(): void {
    if (!this.isAsleep) {
      this.hasNews = true
      return
    }
    this.isAsleep = false
    this.options.defer(this.turn)
  }

  private readonly turn = (): void => {
    this.hasNews = false
    if (this.stopped.signal.aborted) return
    const batch = this.options.scheduler.pick(this.ready())
    if (batch.length > 0) {
      for (const stepper of batch) this.batch.add(stepper)
      this.compute(batch)
    } else if (this.hasNews) {
      this.options.defer(this.turn)
    } else {
      this.stepEndMs = null
      this.isAsleep = true
    }
  }

  /** The sessions that can step; the others sleep until they are woken. */
  private ready(): Stepper[] {
    const ready: Stepper[] = []
    for (const stepper of [...this.awake]) {
      if (!this.awake.has(stepper)) continue // removed by an earlier session's prepare()
      if (stepper.prepare()) ready.push(stepper)
      else this.awake.delete(stepper)
    }
    return ready.filter((stepper) => this.awake.has(stepper))
  }

  private compute(batch: readonly Stepper[]): void {
    const { stepModel, clock } = this.options
    if (!stepModel) {
      this.land()
      return
    }
    const costMs = batch.reduce((sum, { deltas }) => sum + stepCostMs(stepModel, deltas), 0)
    // Counted from the planned end of the last step: otherwise every late timer would slow the
    // engine down.
    this.stepEndMs = (this.stepEndMs ?? clock.monotonicMs()) + stepModel.baseMs + costMs
    const ended = clock.sleepUntil(this.stepEndMs, { signal: this.stopped.signal })
    ended.then(this.land, () => {}) // rejects when stopped; no step is needed then
  }

  private readonly land = (): void => {
    for (const stepper of [...this.batch]) {
      if (this.batch.delete(stepper)) stepper.advance()
    }
    this.options.defer(this.turn)
  }
}
