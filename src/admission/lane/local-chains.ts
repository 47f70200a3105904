/** One lane of this process on its way through engines. */
export interface LocalChain {
  readonly chainId: string
  /** Nothing of it stands in a ledger any more, or nothing should. */
  readonly isOver: boolean
  /** Whether it may have something in the ledger of an engine. */
  isAt(engine: string): boolean
}

/**
 * The chains that this process carries. What stands in a ledger under its name beside them is a
 * leftover: of a grant whose answer never came, or of an end that the store refused. A worker that
 * lives gives signs of life, so nobody else would ever take that out.
 */
export class LocalChains {
  private readonly chains = new Map<string, LocalChain>()

  /** A chain begins; one of the same lane before it is over. */
  add(chain: LocalChain): void {
    for (const { chainId, isOver } of this.chains.values()) if (isOver) this.chains.delete(chainId)
    this.chains.set(chain.chainId, chain)
  }

  /** Whether a chain in the ledger of an engine is one of these. */
  has(chainId: string, engine: string): boolean {
    const chain = this.chains.get(chainId)
    return chain !== undefined && !chain.isOver && chain.isAt(engine)
  }
}
