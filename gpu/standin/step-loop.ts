/** Something that may have a step to take. */
export interface Stepper {
  /** Takes at most one step. @returns whether there may be another one to take at once */
  step(): boolean
}

/**
 * The engine's steps: every turn of the event loop each stepper that is awake takes one, so that
 * sessions share the engine evenly and none holds up the sockets. Asleep while nobody is awake, and
 * then costs nothing.
 */
export class StepLoop {
  private readonly awake = new Set<Stepper>()
  private turning = false

  /** Lets it step from the next turn on, until it says that it can't. */
  wake(stepper: Stepper): void {
    this.awake.add(stepper)
    if (this.turning) return
    this.turning = true
    setImmediate(this.turn)
  }

  /** It won't step again unless it is woken. */
  forget(stepper: Stepper): void {
    this.awake.delete(stepper)
  }

  private readonly turn = (): void => {
    for (const stepper of [...this.awake]) {
      if (this.awake.has(stepper) && !stepper.step()) this.awake.delete(stepper)
    }
    this.turning = this.awake.size > 0
    if (this.turning) setImmediate(this.turn)
  }
}
