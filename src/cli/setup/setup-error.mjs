/** Set-up can't go on: a sentence for a person, and the exit code of the process. */
export class SetupError extends Error {
  name = 'SetupError'

  /**
   * @param {string} message says what is wrong and what to do
   * @param {number} exitCode 2 something must be installed or set, 70 the checkout is broken,
   *   75 try later, 130 stopped
   */
  constructor(message, exitCode) {
    super(message)
    this.exitCode = exitCode
  }
}
