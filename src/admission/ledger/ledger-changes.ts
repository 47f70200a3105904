import { type LaneLoad, laneLoadOf } from '../load/engine-plan.js'
import type { Chain, Ledger, PlannedLeg } from './ledger.js'

/** The ledger with a chain in place of the one with its id, or at the end. */
export function withChain(ledger: Ledger, chain: Chain): Ledger {
  const known = ledger.chains.some(({ id }) => id === chain.id)
  const chains = known
    ? ledger.chains.map((each) => (each.id === chain.id ? chain : each))
    : [...ledger.chains, chain]
  return { ...ledger, chains }
}

/** The ledger with each of some chains in place of the one with its id, or at the end. */
export function withChains(ledger: Ledger, chains: readonly Chain[]): Ledger {
  const changed = new Map(chains.map((chain) => [chain.id, chain]))
  const stay = ledger.chains.map((chain) => changed.get(chain.id) ?? chain)
  const known = new Set(ledger.chains.map(({ id }) => id))
  return { ...ledger, chains: [...stay, ...chains.filter(({ id }) => !known.has(id))] }
}

/** The ledger without a chain and its leases. */
export function withoutChain(ledger: Ledger, chainId: string): Ledger {
  return { ...ledger, chains: ledger.chains.filter(({ id }) => id !== chainId) }
}

/** The ledger without the chains of dead workers. */
export function withoutWorkers(ledger: Ledger, dead: ReadonlySet<string>): Ledger {
  return { ...ledger, chains: ledger.chains.filter(({ worker }) => !dead.has(worker)) }
}

/**
 * The ledger without one lease. A chain without other legs is removed with it, or is parked where
 * audio is left.
 */
export function withLegClosed(
  ledger: Ledger,
  options: { chainId: string; index: number; nowMs: number },
): Ledger {
  const chain = ledger.chains.find(({ id }) => id === options.chainId)
  if (!chain) return ledger
  const legs = chain.legs.filter(({ index }) => index !== options.index)
  if (legs.length === 0 && chain.restFrames === 0) return withoutChain(ledger, chain.id)
  const isRunning = legs.some((leg) => leg.open)
  const parkedSinceMs = isRunning ? chain.parkedSinceMs : (chain.parkedSinceMs ?? options.nowMs)
  return withChain(ledger, { ...chain, legs, parkedSinceMs })
}

/** The ledger with a leg of a chain in place of the one with its index. */
export function withLegAs(ledger: Ledger, chainId: string, leg: PlannedLeg): Ledger {
  const chain = ledger.chains.find(({ id }) => id === chainId)
  if (!chain) return ledger
  const legs = chain.legs.map((each) => (each.index === leg.index ? leg : each))
  return withChain(ledger, { ...chain, legs })
}

/** Lanes on the engine, parked ones included; a lane in a change of legs counts once. */
export function lanesRunning(ledger: Ledger): number {
  return ledger.chains.length
}

/** The load of the lanes on the engine, and of others with these paces that would join them. */
export function laneLoadWith(ledger: Ledger, paces: readonly number[]): LaneLoad {
  return laneLoadOf([...ledger.chains.map(({ pace }) => pace), ...paces])
}

/** Number of lanes that hold a session, one of them left out. */
export function lanesHolding(ledger: Ledger, exceptId: string): number {
  return ledger.chains.filter(({ id, legs }) => id !== exceptId && legs.some((leg) => leg.open))
    .length
}

/** All leases of a ledger: sessions that are open, or may be. */
export function leasesOf(ledger: Ledger): { chain: Chain; leg: PlannedLeg }[] {
  return ledger.chains.flatMap((chain) =>
    chain.legs.filter((leg) => leg.open).map((leg) => ({ chain, leg })),
  )
}
