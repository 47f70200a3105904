import type { Chain, Ledger, PlannedLeg } from './ledger.js'
import { withChain, withoutChain } from './ledger-changes.js'

/** The part of a lane's ledger entry that changes. */
type ChainState = Pick<Chain, 'legs' | 'restFrames' | 'parkedSinceMs'>

/** Reads and writes one lane's chain in ledgers, for the worker that runs the lane. */
export class ChainEntry {
  private readonly identity: Pick<Chain, 'id' | 'worker' | 'pace' | 'live'>

  constructor(lane: { chainId: string; worker: string; pace: number; live: boolean }) {
    const { chainId: id, worker, pace, live } = lane
    this.identity = { id, worker, pace, live }
  }

  /** The chain in a ledger; undefined where it isn't there. */
  find(ledger: Ledger): Chain | undefined {
    return ledger.chains.find(({ id }) => id === this.identity.id)
  }

  /** False where the ledger has another worker's chain of this lane: it may still hold sessions. */
  isOurs(ledger: Ledger): boolean {
    const stands = this.find(ledger)
    return stands === undefined || stands.worker === this.identity.worker
  }

  /** Whether the ledger has a lease with the same values as here. */
  has(ledger: Ledger, leg: PlannedLeg): boolean {
    const stands = this.isOurs(ledger) ? this.find(ledger) : undefined
    return stands?.legs.some((each) => isSameLeg(each, leg)) ?? false
  }

  /**
   * The ledger with a lease's values as they are here; null where the lease isn't in it any more,
   * because its room went to others. A lease is recognized by its start: one that was granted later
   * has another. The lateness of its sender may differ, where the answer to that write was lost.
   */
  current(ledger: Ledger, leg: PlannedLeg): Ledger | null {
    const stands = this.isOurs(ledger) ? this.find(ledger) : undefined
    const isThere = stands?.legs.some(({ index, open, startMs }) => {
      return open && index === leg.index && startMs === leg.startMs
    })
    return isThere ? this.withLeg(ledger, leg) : null
  }

  /** The chain with its legs that hold sessions, and the legs that are planned after them. */
  chain(
    held: readonly PlannedLeg[],
    planned: { legs: readonly PlannedLeg[]; restFrames: number },
  ): Chain {
    const planning = planned.legs[0]?.index ?? Number.POSITIVE_INFINITY
    const legs = [...held.filter((leg) => leg.index < planning), ...planned.legs]
    return { ...this.identity, legs, restFrames: planned.restFrames, parkedSinceMs: null }
  }

  /** The ledger without the chain; null where it has none of ours. */
  without(ledger: Ledger): Ledger | null {
    const isOurs = this.isOurs(ledger) && this.find(ledger) !== undefined
    return isOurs ? withoutChain(ledger, this.identity.id) : null
  }

  /** The ledger with only these leases of the chain, which close one by one; null: none of ours. */
  withOnly(ledger: Ledger, held: readonly PlannedLeg[]): Ledger | null {
    if (held.length === 0 || !this.isOurs(ledger)) return this.without(ledger)
    return this.put(ledger, { legs: held, restFrames: 0, parkedSinceMs: null })
  }

  /** The ledger with this state of the chain; the same object where nothing changes. */
  put(ledger: Ledger, state: ChainState): Ledger {
    const stands = this.find(ledger)
    const isSame =
      stands !== undefined &&
      stands.parkedSinceMs === state.parkedSinceMs &&
      stands.restFrames === state.restFrames &&
      stands.legs.length === state.legs.length &&
      stands.legs.every((leg, at) => isSameLeg(leg, state.legs[at] as PlannedLeg))
    return isSame ? ledger : withChain(ledger, { ...this.identity, ...state })
  }

  /** The ledger with these values of one leg; other legs of the chain stay as they are. */
  withLeg(ledger: Ledger, leg: PlannedLeg): Ledger {
    const stands = this.find(ledger)
    const { legs, restFrames, parkedSinceMs } = stands ?? NOTHING
    const isThere = legs.some(({ index }) => index === leg.index)
    const next = legs.map((each) => (each.index === leg.index ? leg : each))
    return this.put(ledger, { legs: isThere ? next : [leg, ...legs], restFrames, parkedSinceMs })
  }
}

const NOTHING: ChainState = { legs: [], restFrames: 0, parkedSinceMs: null }

function isSameLeg(one: PlannedLeg, other: PlannedLeg): boolean {
  return (
    one === other ||
    (one.index === other.index &&
      one.open === other.open &&
      one.startMs === other.startMs &&
      one.frames === other.frames &&
      one.behindMs === other.behindMs &&
      one.stoppedFrame === other.stoppedFrame)
  )
}
