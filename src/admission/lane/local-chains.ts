/** The chain of one lane that this process runs. */
export interface LocalChain {
  readonly chainId: string
  /** Whether it has ended: no ledger should have an entry of it any more. */
  readonly isOver: boolean
  /** Whether the ledger of an engine may have an entry of it. */
  isAt(engine: string): boolean
}

/**
 * The chains that this process runs. Any other chain under its name in a ledger is orphaned: left
 * by a grant whose answer was lost, or by an end that the store refused. The process itself must
 * remove it: while it has a heartbeat, no other worker does.
 */
export class LocalChains {
  private readonly chains = new Map<string, LocalChain>()

  /** Adds a chain that begins; an earlier one of the same lane has ended. */
  add(chain: LocalChain): void {
    for (const { chainId, isOver } of this.chains.values()) if (isOver) this.chains.delete(chainId)
    this.chains.set(chain.chainId, chain)
  }

  /** Whether this process runs a chain that the ledger of an engine has. */
  has(chainId: string, engine: string): boolean {
    const chain = this.chains.get(chainId)
    return chain !== undefined && !chain.isOver && chain.isAt(engine)
  }
}
