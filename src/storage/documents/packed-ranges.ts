/** From and until, both of one unit. */
type Range = readonly [from: number, until: number]

/**
 * Ranges that don't change, in 16 bytes each: a recording of two hours has thousands, as arrays
 * they take four times as much, and a worker holds those of a hundred recordings until they end.
 * In JSON they are pairs.
 */
export class PackedRanges implements Iterable<Range> {
  private readonly edges: Float64Array

  /** @param ranges in the order they keep */
  constructor(ranges: readonly Range[]) {
    this.edges = new Float64Array(2 * ranges.length)
    for (const [at, range] of ranges.entries()) this.edges.set(range, 2 * at)
  }

  /** How many there are. */
  get length(): number {
    return this.edges.length / 2
  }

  /** @param index from 0; undefined past the last one */
  at(index: number): Range | undefined {
    const from = this.edges[2 * index]
    const until = this.edges[2 * index + 1]
    return from === undefined || until === undefined ? undefined : [from, until]
  }

  *[Symbol.iterator](): Iterator<Range> {
    for (let index = 0; index < this.length; index += 1) yield this.at(index) as Range
  }

  /** The ranges as they are stored in a document. */
  toJSON(): Range[] {
    return [...this]
  }
}
