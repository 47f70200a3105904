/** A range: its start and its exclusive end, both in one unit. */
type Range = readonly [from: number, until: number]

/**
 * An immutable list of ranges, 16 bytes each. A recording of 2 h has thousands, and a worker holds
 * those of 100 recordings at a time: as arrays they would take four times the memory. In JSON they
 * are pairs.
 */
export class PackedRanges implements Iterable<Range> {
  private readonly edges: Float64Array

  /** @param ranges in the order in which they are kept */
  constructor(ranges: readonly Range[]) {
    this.edges = new Float64Array(2 * ranges.length)
    for (const [at, range] of ranges.entries()) this.edges.set(range, 2 * at)
  }

  get length(): number {
    return this.edges.length / 2
  }

  /** @param index 0-based. @returns undefined past the last range */
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
