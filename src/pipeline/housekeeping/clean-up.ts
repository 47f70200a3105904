import { type ErrorCode, isStop, NightscribeError } from '../../kernel/errors.js'
import type { Leftover, LeftoverKind } from './housekeeping.js'

/** A store in which leftovers gather: object storage, Redis, or a folder of a worker. */
export interface LeftoverSource<L extends Leftover = Leftover> {
  /** Changes nothing. @throws UpstreamError; the signal's reason */
  find(options: { signal: AbortSignal }): AsyncIterable<L>
  /** Removing one that is gone already succeeds. @throws UpstreamError; the signal's reason */
  remove(leftover: L, options: { signal: AbortSignal }): Promise<void>
}

/** Whether one leftover was removed, and why not. */
export type LeftoverOutcome =
  /** Not removed, because it was a dry run. */
  | 'found'
  | 'removed'
  | 'failed'
  /** Not removed, because this run has reached its limit of items; the next run goes on. */
  | 'left'

/** One leftover in a report. */
export interface CleanedLeftover extends Leftover {
  readonly outcome: LeftoverOutcome
  readonly code: ErrorCode | null
}

/** Totals of several leftovers. */
export interface CleanedSum {
  leftovers: number
  items: number
  bytes: number
}

/** What a run of `cleanUp` has found and done. */
export interface CleanReport {
  sums: Readonly<Record<LeftoverOutcome, CleanedSum>>
  /** Totals of the removed leftovers by kind. */
  removed: ReadonlyMap<LeftoverKind, CleanedSum>
  /** Error codes of the sources that could not be searched to their end. */
  unseen: readonly ErrorCode[]
}

/** Options of a run of `cleanUp`. */
export interface CleanOptions {
  /** True: leftovers are reported, and none is removed. */
  dryRun: boolean
  /** Most items that one run removes; leftovers beyond are reported as `left`. */
  itemsMax: number
  /** Called for each leftover as it is done with. */
  onLeftover(leftover: CleanedLeftover): void
  signal: AbortSignal
}

/**
 * Searches all sources, one after the other, and removes their leftovers. A failure is reported and
 * doesn't stop the rest: the next run finds the same leftover again.
 * @throws the signal's reason; a bug
 */
export async function cleanUp(
  sources: readonly LeftoverSource[],
  options: CleanOptions,
): Promise<CleanReport> {
  const run = new CleanRun(options)
  for (const source of sources) await run.through(source)
  return run.report
}

class CleanRun {
  readonly report: {
    sums: Record<LeftoverOutcome, CleanedSum>
    removed: Map<LeftoverKind, CleanedSum>
    unseen: ErrorCode[]
  } = {
    sums: { found: noSum(), removed: noSum(), failed: noSum(), left: noSum() },
    removed: new Map(),
    unseen: [],
  }
  private readonly options: CleanOptions

  constructor(options: CleanOptions) {
    this.options = options
  }

  async through(source: LeftoverSource): Promise<void> {
    const { signal } = this.options
    try {
      for await (const leftover of source.find({ signal })) {
        signal.throwIfAborted()
        this.record(leftover, await this.take(source, leftover))
      }
    } catch (error) {
      this.report.unseen.push(this.codeOf(error))
    }
  }

  private async take(
    source: LeftoverSource,
    leftover: Leftover,
  ): Promise<{ outcome: LeftoverOutcome; code: ErrorCode | null }> {
    const { dryRun, itemsMax, signal } = this.options
    if (dryRun) return { outcome: 'found', code: null }
    const { removed, failed } = this.report.sums
    const done = removed.items + failed.items
    // The first leftover is removed even above the limit: one larger than it would stay for ever.
    if (done > 0 && done + leftover.items > itemsMax) return { outcome: 'left', code: null }
    try {
      await source.remove(leftover, { signal })
      return { outcome: 'removed', code: null }
    } catch (error) {
      return { outcome: 'failed', code: this.codeOf(error) }
    }
  }

  /** @throws the signal's reason; a bug: both are no failure of the source */
  private codeOf(error: unknown): ErrorCode {
    this.options.signal.throwIfAborted()
    if (error instanceof NightscribeError && !isStop(error)) return error.code
    throw error
  }

  private record(
    leftover: Leftover,
    result: { outcome: LeftoverOutcome; code: ErrorCode | null },
  ): void {
    const { sums, removed } = this.report
    addTo(sums[result.outcome], leftover)
    if (result.outcome === 'removed') {
      const sum = removed.get(leftover.kind) ?? noSum()
      addTo(sum, leftover)
      removed.set(leftover.kind, sum)
    }
    this.options.onLeftover({ ...leftover, ...result })
  }
}

function noSum(): CleanedSum {
  return { leftovers: 0, items: 0, bytes: 0 }
}

function addTo(sum: CleanedSum, { items, bytes }: Leftover): void {
  sum.leftovers += 1
  sum.items += items
  sum.bytes += bytes ?? 0
}
