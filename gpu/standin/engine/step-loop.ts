import type { Clock } from '../../../src/kernel/clock.js'
import { StopRequested } from '../../../src/kernel/errors.js'
import { type StepModel, stepCostMs } from '../../../src/model/step-model.js'
import type { BatchScheduler, Sequence } from './batch-scheduler.js'

/** A session as the loop drives it. */
export interface Stepper extends Sequence {
  /** Does what needs no step. @returns whether the frame of its next step is there */
  prepare(): boolean
  /** The step that it took part in is over. */
  advance(): void
}

/** How the loop runs. */
export interface StepLoopOptions {
  scheduler: BatchScheduler<Stepper>
  /** What a step costs; null: nothing. */
  stepModel: StepModel | null
  clock: Clock
  /** Calls back soon, after what lies ready for others: sockets, promises. */
  defer: (turn: () => void) => void
}

/**
 * The engine's steps: each is taken by all sessions together whose next frame is there, as far as
 * the scheduler lets them. Three modes:
 * - asleep: nobody is awake, or nobody who is can go on; a wake or a release ends it;
 * - between steps: the next batch is about to be chosen;
 * - in a step: the batch is being computed, for as long as the step model says. Who is ready in the
 *   meantime takes part in the next one, so that an engine with too much to do falls behind.
 */
export class StepLoop {
  private readonly options: StepLoopOptions
  private readonly awake = new Set<Stepper>()
  private readonly batch = new Set<Stepper>()
  private readonly stopped = new AbortController()
  private isAsleep = true
  /** Somebody was woken or released while it wasn't asleep. */
  private hasNews = false
  /** When the last step ended; the next follows on it if there is no sleep between. */
  private stepEndMs: number | null = null

  constructor(options: StepLoopOptions) {
    this.options = options
  }

  /** Sessions in the step that is being computed. */
  get running(): number {
    return this.batch.size
  }

  /** It may have a step to take. */
  wake(stepper: Stepper): void {
    this.awake.add(stepper)
    this.stir()
  }

  /** Its utterance is over: what it holds is free, and it takes no step unless it is woken. */
  forget(stepper: Stepper): void {
    this.awake.delete(stepper)
    this.batch.delete(stepper)
    this.options.scheduler.release(stepper)
    if (this.awake.size > 0) this.stir()
  }

  /** No step is taken any more. */
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

  /** Those that could step; the others sleep until they are woken. */
  private ready(): Stepper[] {
    const ready: Stepper[] = []
    for (const stepper of [...this.awake]) {
      if (!this.awake.has(stepper)) continue // one before it has ended it
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
    // A busy engine's steps follow on each other: what a timer is late is not the engine's time.
    this.stepEndMs = (this.stepEndMs ?? clock.monotonicMs()) + stepModel.baseMs + costMs
    const ended = clock.sleepUntil(this.stepEndMs, { signal: this.stopped.signal })
    ended.then(this.land, () => {}) // rejects when it was stopped: then nobody waits for the step
  }

  private readonly land = (): void => {
    for (const stepper of [...this.batch]) {
      if (this.batch.delete(stepper)) stepper.advance()
    }
    this.options.defer(this.turn)
  }
}
