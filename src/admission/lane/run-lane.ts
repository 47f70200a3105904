import { eitherSignal, unstopped } from '../../kernel/abort.js'
import { isStop, StopRequested } from '../../kernel/errors.js'
import type { PlannedSegment } from '../legs/planned-segment.js'
import type { LaneChain } from './lane-chain.js'
import type { LegLease } from './leg-lease.js'

/** The reason with which later legs are stopped when an earlier one has failed. */
const LEG_LOST = new StopRequested('internal', 'An earlier leg of the lane is replayed again.')

/** A leg that is complete. */
export interface LaneLeg<T> {
  segment: PlannedSegment
  engine: string
  result: T
}

/** Where and when a lane goes on after a leg has failed. */
export interface RetryAfter {
  /** The leg's text is kept up to this frame, and replay goes on here; absent: none is kept. */
  fromFrame?: number
  delayMs: number
  /** Whether it may go on before `delayMs`, once a session of the engine has ended. */
  orFewerLeases: boolean
}

/** How a lane runs a leg, what it does after a failed one, and who learns of a complete one. */
export interface LaneOptions<T> {
  /** Runs one leg to its end. Throws when it fails; the lease is given back either way. */
  runLeg(lease: LegLease, options: { signal: AbortSignal }): Promise<T>
  /** Called when a leg has failed. @returns where and when to go on @throws to give the lane up */
  onFailure(error: unknown, failed: FailedLane): RetryAfter
  /** Called when a leg is complete, in the order of the recording. */
  onLeg(leg: LaneLeg<T>): void
  signal: AbortSignal
}

/** A lane whose leg has failed. */
export interface FailedLane {
  lease: LegLease
  /** The first frame of the failed leg. */
  fromFrame: number
  /** Failures since the lane last got further than before. */
  failures: number
}

interface FailedLeg {
  lease: LegLease
  error: unknown
}

interface RunningLeg<T> {
  lease: LegLease
  stop: AbortController
  /** The leg's end, also when it failed: never rejects. */
  outcome: Promise<{ result: T } | { error: unknown }>
}

/**
 * Runs a lane leg by leg. The next leg is opened before the old one has ended, so two run during a
 * change of legs. When a leg fails, the lane goes on from as far as that leg's text is kept: later
 * legs are stopped, earlier ones stay complete. When this returns or throws, the chain holds no
 * lease.
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
    // With a signal of its own, because leases must be given back also when the lane was stopped;
    // the store has a time limit. Where this fails, the engine's controller removes the chain.
    await chain.end(unstopped()).catch(() => {})
  }
}

/** @returns the first leg that failed; null when all audio was replayed */
async function runUntilFailure<T>(
  chain: LaneChain,
  options: LaneOptions<T>,
): Promise<FailedLeg | null> {
  const { signal } = options
  const broken = new AbortController()
  using ended = eitherSignal(signal, broken.signal)
  // Outcomes are reported in the order of legs; a leg is stopped when an earlier one has failed.
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

/** Reports the outcome of a leg. Never rejects. @returns the first failed leg up to this one */
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
