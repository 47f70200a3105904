import { type Clock, sleepFor } from '../../kernel/clock.js'
import { UpstreamError } from '../../kernel/errors.js'
import type { Random } from '../../kernel/random.js'
import type { Ledger, PlannedLeg } from '../ledger/ledger.js'
import { withLegAs } from '../ledger/ledger-changes.js'
import { type LedgerStep, NO_CHANGE } from '../ledger/ledger-client.js'
import { changePatiently } from '../ledger/patient-change.js'
import { type LegLease, SLIP_MAX_MS } from './leg-lease.js'

/** Time after which a sender that was told to wait asks again. */
const ASK_AGAIN_MS = 250
/**
 * A sender gives up after 60 to 120 s without permission, at random so that not all give up at
 * once. Then the engine has less room than its leases promise, and a session must end. Longer than
 * the leases of a dead worker stay in the ledger.
 */
const GIVE_UP_MS = 60_000

/** The request for one block, and what the wait for it needs. */
export interface BlockQuestion {
  /** The frame that can't be sent without the new block; 0-based in the leg. */
  frame: number
  clock: Clock
  random: Random
  signal: AbortSignal
  /** The ledger with the lease, also where it was lost; null where other lanes have its room. */
  restore(ledger: Ledger): Ledger | null
}

/** The decision, and the lease's entry in the ledger with it. */
interface Answer {
  isGranted: boolean
  entry: PlannedLeg
}

/**
 * Waits until a lease may take its next block. Called when plans alone don't tell, because a lease
 * of the engine is late, the caller's or another. While it waits, the ledger shows the frame at
 * which its sender is stopped.
 * @throws UpstreamError `engine_overloaded` after 60 to 120 s, or when other lanes have its room;
 *   the signal's reason
 */
export async function askForBlock(lease: LegLease, question: BlockQuestion): Promise<void> {
  const { clock, random, signal, frame } = question
  const sinceMs = clock.monotonicMs()
  const patienceMs = GIVE_UP_MS * (1 + random.uniform())
  for (;;) {
    const answered = await changePatiently(
      lease.client,
      { clock, random, signal },
      (ledger, nowMs) => answer(lease, question, ledger, nowMs),
      (value) => value && lease.noted(value.entry),
    )
    if (answered === null) {
      throw new UpstreamError(
        'engine_overloaded',
        `The room of ${lease.chainId} on ${lease.client.engine} went to others; its leg is replayed again.`,
        { effect: 'none', facts: { chainId: lease.chainId, frame } },
      )
    }
    if (answered.isGranted) return
    if (clock.monotonicMs() - sinceMs > patienceMs) {
      throw new UpstreamError(
        'engine_overloaded',
        `The engine ${lease.client.engine} had no room to go on with a session for ${Math.round(patienceMs / 1000)} s; its leg is replayed again.`,
        { facts: { chainId: lease.chainId, frame } },
      )
    }
    await sleepFor(clock, ASK_AGAIN_MS, { signal })
  }
}

function answer(
  lease: LegLease,
  { frame, clock, restore }: BlockQuestion,
  ledger: Ledger,
  nowMs: number,
): LedgerStep<Answer | null> {
  const { chainId, index, entry, client } = lease
  const known = restore(ledger)
  if (known === null) return NO_CHANGE
  // Rounded down, so that the ledger never takes the sender to be less far than it is.
  const lateMs = Math.floor(lease.lateAt(frame, clock.monotonicMs()))
  const hasStopped = entry.stoppedFrame !== null
  const isNews = hasStopped || lateMs - entry.behindMs > SLIP_MAX_MS
  const going = { ...entry, behindMs: isNews ? lateMs : entry.behindMs, stoppedFrame: null }
  const told = isNews ? withLegAs(known, chainId, going) : known
  const isGranted = client.mayTake(told, nowMs, { chainId, index, frame })
  if (isGranted) return { ledger: changed(ledger, told), value: { isGranted, entry: going } }
  const stopped = { ...entry, behindMs: Math.max(entry.behindMs, lateMs), stoppedFrame: frame }
  if (entry.stoppedFrame === frame) {
    return { ledger: changed(ledger, known), value: { isGranted, entry } }
  }
  const waiting = withLegAs(known, chainId, stopped)
  return { ledger: changed(ledger, waiting), value: { isGranted, entry: stopped } }
}

function changed(before: Ledger, after: Ledger): Ledger | null {
  return after === before ? null : after
}
