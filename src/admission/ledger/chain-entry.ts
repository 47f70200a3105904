import type { Chain, Ledger, PlannedLeg } from './ledger.js'
import { withChain, withoutChain } from './ledger-changes.js'

/** What may stand in the ledger of one lane. */
type ChainState = Pick<Chain, 'legs' | 'restFrames' | 'parkedSinceMs'>

/** One lane's chain in ledgers, as the worker that carries it writes it. */
export class ChainEntry {
  private readonly identity: Pick<Chain, 'id' | 'worker' | 'pace' | 'live'>

  constructor(lane: { chainId: string; worker: string; pace: number; live: boolean }) {
    const { chainId: id, worker, pace, live } = lane
    this.identity = { id, worker, pace, live }
  }

  /** The chain as it stands; undefined where it doesn't. */
  find(ledger: Ledger): Chain | undefined {
    return ledger.chains.find(({ id }) => id === this.identity.id)
  }

  /** False where another worker's chain of this lane stands, which may still hold sessions. */
  isOurs(ledger: Ledger): boolean {
    const stands = this.find(ledger)
    return stands === undefined || stands.worker === this.identity.worker
  }

  /** Whether a lease stands there as it is here. */
  has(ledger: Ledger, leg: PlannedLeg): boolean {
    const stands = this.isOurs(ledger) ? this.find(ledger) : undefined
    return stands?.legs.some((each) => isSameLeg(each, leg)) ?? false
  }

  /**
   * The ledger with a lease as it is here, if it stands there at all; null where it went to others.
   * Its start tells it from one that was granted later. What its sender has told of itself may be
   * another there, where the answer to that was lost.
   */
  current(ledger: Ledger, leg: PlannedLeg): Ledger | null {
    const stands = this.isOurs(ledger) ? this.find(ledger) : undefined
    const isThere = stands?.legs.some(({ index, open, startMs }) => {
      return open && index === leg.index && startMs === leg.startMs
    })
    return isThere ? this.withLeg(ledger, leg) : null
  }

  /** The chain with those legs of it that hold sessions, and those that are planned after them. */
  chain(
    held: readonly PlannedLeg[],
    planned: { legs: readonly PlannedLeg[]; restFrames: number },
  ): Chain {
    const planning = planned.legs[0]?.index ?? Number.POSITIVE_INFINITY
    const legs = [...held.filter((leg) => leg.index < planning), ...planned.legs]
    return { ...this.identity, legs, restFrames: planned.restFrames, parkedSinceMs: null }
  }

  /** The ledger without the chain; null where none of ours stands. */
  without(ledger: Ledger): Ledger | null {
    const isOurs = this.isOurs(ledger) && this.find(ledger) !== undefined
    return isOurs ? withoutChain(ledger, this.identity.id) : null
  }

  /** The ledger with no more of the chain than what its own leases close; null: nothing of ours. */
  withOnly(ledger: Ledger, held: readonly PlannedLeg[]): Ledger | null {
    if (held.length === 0 || !this.isOurs(ledger)) return this.without(ledger)
    return this.put(ledger, { legs: held, restFrames: 0, parkedSinceMs: null })
  }

  /** The ledger with the chain like this; the same one where it stands so already. */
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

  /** The ledger with one leg like this, beside whatever else stands there of the chain. */
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
