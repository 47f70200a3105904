/**
 * Steps of cleaning up, run last in, first out. Two modes: open (steps are added) and disposed
 * (adding throws). Every step runs even when one fails; the first failure is thrown at the end.
 */
export class CleanupStack implements AsyncDisposable {
  private steps: (() => unknown)[] | null = []

  /** Disposes of a thing when the stack is disposed of. @returns the thing */
  use<T extends AsyncDisposable>(thing: T): T {
    this.defer(() => thing[Symbol.asyncDispose]())
    return thing
  }

  /** Runs a step when the stack is disposed of. */
  defer(step: () => unknown): void {
    if (!this.steps) throw new Error('the stack is disposed of already')
    this.steps.push(step)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const steps = this.steps?.reverse() ?? []
    this.steps = null
    const failures: unknown[] = []
    for (const step of steps) {
      try {
        await step()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
  }
}
