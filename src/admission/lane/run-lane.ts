import { eitherSignal, unstopped } from '../../kernel/abort.js'
import { isStop, StopRequested } from '../../kernel/errors.js'
import type { PlannedSegment } from '../legs/planned-segment.js'
import type { LaneChain } from './lane-chain.js'
import type { LegLease } from './leg-lease.js'

/** Why later legs stop when an earlier one has failed. */
const LEG_LOST = new StopRequested('internal', 'An earlier leg of the lane is carried again.')

/** A leg that is complete. */
export interface LaneLeg<T> {
  segment: PlannedSegment
  engine: string
  result: T
}

/** From where and when a lane goes on whose leg failed. */
export interface RetryAfter {
  /** Up to here the text of the leg is kept; absent: nothing of it is. */
  fromFrame?: number
  delayMs: number
  /** Earlier, once a session of the engine has ended. */
  orFewerLeases: boolean
}

/** How a lane is carried. */
export interface LaneOptions<T> {
  /** Carries one leg to its end. Throws when that can't be; the lease is closed either way. */
  runLeg(lease: LegLease, options: { signal: AbortSignal }): Promise<T>
  /**
   * A leg failed.
   * @returns where to go on and when @throws to give the lane up
   */
  onFailure(error: unknown, failed: FailedLane): RetryAfter
  /** A leg is complete; called in order. */
  onLeg(leg: LaneLeg<T>): void
  signal: AbortSignal
}

/** Where a lane has lost its session. */
export interface FailedLane {
  lease: LegLease
  /** Of the lease. */
  fromFrame: number
  /** Since the lane last got further. */
  failures: number
}

interface FailedLeg {
  lease: LegLease
  error: unknown
}

interface RunningLeg<T> {
  lease: LegLease
  stop: AbortController
  /** Never rejects. */
  outcome: Promise<{ result: T } | { error: unknown }>
}

/**
 * Carries a lane through its chain of legs: the next one is opened before the old one has ended,
 * so two run at a change-over. Where a leg fails the lane goes on from as far as its text is kept;
 * what came after it is stopped, what came before it stays. The chain holds nothing when this
 * returns.
 */
export async function runLane<T>(chain: LaneChain, options: LaneOptions<T>): Promise<void> {
  let failures = 0
  let progress = -1
  try {
    for (;;) {
      const failed = await runUntilFailure(chain, options)
      if (failed === null) return
      options.signal.throwIfAborted()
      const { fromFrame } = failed.lease
      failures = fromFrame > progress ? 1 : failures + 1
      progress = Math.max(progress, fromFrame)
      const { lease } = failed
      const retry = options.onFailure(failed.error, { lease, fromFrame, failures })
      await chain.restart({ fromFrame, ...retry, signal: options.signal })
    }
  } finally {
    // Also when stopped, for others wait for what it holds; the store bounds the time. Where this
    // fails the leases stay until this worker's sign of life expires.
    await chain.end(unstopped()).catch(() => {})
  }
}

/** @returns the first leg that failed; null when all audio was carried */
async function runUntilFailure<T>(
  chain: LaneChain,
  options: LaneOptions<T>,
): Promise<FailedLeg | null> {
  const { signal } = options
  const broken = new AbortController()
  using ended = eitherSignal(signal, broken.signal)
  // Each leg is told of after the one before it, and stopped when that one has failed.
  let told: Promise<FailedLeg | null> = Promise.resolve(null)
  try {
    for (;;) {
      const lease = await chain.next(ended)
      if (lease === null) return await told
      const leg = start(lease, options)
      told = tell(told, leg, options)
      void told.then((failed) => {
        if (failed) broken.abort(LEG_LOST)
      })
    }
  } catch (error) {
    const failed = await told
    signal.throwIfAborted()
    if (failed && isStop(error)) return failed
    throw error
  }
}

/** Never rejects. @returns the leg that has failed, of all up to this one */
async function tell<T>(
  before: Promise<FailedLeg | null>,
  leg: RunningLeg<T>,
  options: LaneOptions<T>,
): Promise<FailedLeg | null> {
  const failed = await before
  if (failed) leg.stop.abort(LEG_LOST)
  const outcome = await leg.outcome
  if (failed) return failed
  const { planned: segment, client } = leg.lease
  if ('error' in outcome) return { lease: leg.lease, error: outcome.error }
  options.onLeg({ segment, engine: client.engine, result: outcome.result })
  return null
}

function start<T>(lease: LegLease, options: LaneOptions<T>): RunningLeg<T> {
  const stop = new AbortController()
  const outcome = (async () => {
    using either = eitherSignal(options.signal, stop.signal)
    try {
      const result = await options.runLeg(lease, either)
      await lease.close({ signal: options.signal })
      return { result }
    } catch (error) {
      return { error }
    }
  })()
  return { lease, stop, outcome }
}
