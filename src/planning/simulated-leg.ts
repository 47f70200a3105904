import type { LegLease } from '../admission/lane/leg-lease.js'
import { type Clock, sleepFor } from '../kernel/clock.js'
import { StopRequested } from '../kernel/errors.js'
import type { Random } from '../kernel/random.js'

/** What may go wrong with a leg in a simulation; all zero for a plan. */
export interface LegTrouble {
  /** Chance of a leg to fail somewhere on its way. */
  failShare: number
  /** Chance of a sender to slip at a block border, and by how much at most. */
  slipShare: number
  slipMaxMs: number
  /** Time of the 17 last steps, at most; drawn anew for every leg. */
  tailMaxMs: number
  /** Chance of a session to be closed late, and by how much at most. */
  lateCloseShare: number
  lateCloseMaxMs: number
}

/** What the simulated engine sees of a session. */
export interface SimulatedSession {
  /** So many frames were sent. */
  heard(frames: number): void
  /** The end of the audio was announced, and the last steps computed. */
  finished(frames: number): void
  closed(): void
}

/** Why a simulated leg has failed. */
export class SimulatedFailure extends Error {}

/** What a leg is simulated with. */
export interface LegParts {
  clock: Clock
  random: Random
  trouble: LegTrouble
  session: SimulatedSession
  frameMs: number
}

/**
 * Carries one leg without audio: one event per block border, which is where plans and ledger see
 * anything of it. The lease is asked as a real sender asks it, and like a real one this sender
 * catches up what it slipped, unless it was held back.
 * @throws SimulatedFailure where the trouble says so; the signal's reason
 */
export async function simulateLeg(
  lease: LegLease,
  parts: LegParts,
  { signal }: { signal: AbortSignal },
): Promise<void> {
  const { clock, random, trouble, session } = parts
  const failsAt = random.uniform() < trouble.failShare ? random.uniform() * lease.frames : null
  try {
    await sendFrames(lease, parts, failsAt, signal)
    // The end may have moved on while the last permission was waited for.
    session.finished(lease.frames)
    await sleepFor(clock, random.uniform() * trouble.tailMaxMs, { signal })
    if (random.uniform() < trouble.lateCloseShare) {
      await sleepFor(clock, random.uniform() * trouble.lateCloseMaxMs, { signal })
    }
  } finally {
    session.closed()
  }
}

async function sendFrames(
  lease: LegLease,
  { clock, random, trouble, session, frameMs }: LegParts,
  failsAt: number | null,
  signal: AbortSignal,
): Promise<void> {
  let heldMs = 0
  let sent = 0
  while (sent < lease.frames) {
    const border = Math.min(lease.blockFrameAfter(sent), lease.frames - 1)
    const dueMs = lease.startMs + border * frameMs + heldMs
    if (!(await reached(lease, clock, dueMs, signal))) continue
    if (failsAt !== null && border >= failsAt) throw new SimulatedFailure('The leg has failed.')
    if (random.uniform() < trouble.slipShare) {
      await sleepFor(clock, random.uniform() * trouble.slipMaxMs, { signal })
    }
    const asked = lease.permit(border, clock.monotonicMs(), { signal })
    if (asked) {
      await asked
      heldMs = Math.max(heldMs, clock.monotonicMs() - lease.startMs - border * frameMs)
    }
    sent = border + 1
    session.heard(sent)
  }
}

/** Ends the wait that has lost. One for all: to make an error costs more than the whole wait. */
const DECIDED = new StopRequested('internal', 'The other wait is over.')

/** Sleeps up to a moment; false when the lease's end was moved before. */
async function reached(
  lease: LegLease,
  clock: Clock,
  dueMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  signal.throwIfAborted()
  if (clock.monotonicMs() >= dueMs) return true
  const over = new AbortController()
  const onAbort = () => over.abort(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  const moved = lease.moves.wait(over.signal).then(() => false)
  const slept = clock.sleepUntil(dueMs, over).then(() => true)
  try {
    return await Promise.race([moved, slept])
  } finally {
    signal.removeEventListener('abort', onAbort)
    over.abort(DECIDED)
    moved.catch(() => {}) // the other one has won
    slept.catch(() => {})
    signal.throwIfAborted()
  }
}
