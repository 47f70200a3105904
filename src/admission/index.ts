/** What a job asks for before it opens sessions: all of them at once, or none. */
export interface SessionDemand {
  jobId: string
  /** One a lane. */
  sessions: number
}

/** The right to hold sessions until it is disposed of; disposing twice does nothing. */
export interface SessionLease extends Disposable {
  /** One entry a session: the index of the engine it belongs on. */
  readonly engines: readonly number[]
}

/** Decides how many sessions run at once. */
export interface SessionGate {
  /**
   * Resolves when there is room for all the sessions.
   * @throws ConfigError when so many can never fit; the signal's reason
   */
  acquire(demand: SessionDemand, options: { signal: AbortSignal }): Promise<SessionLease>
  /** Sessions running under leases of this gate. */
  readonly running: number
}
