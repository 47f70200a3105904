import { type ErrorCode, isStop, NightscribeError } from '../../kernel/errors.js'
import type { Leftover, LeftoverKind } from './housekeeping.js'

/** One place where leftovers gather. */
export interface LeftoverSource<L extends Leftover = Leftover> {
  /** Changes nothing. @throws UpstreamError; the signal's reason */
  find(options: { signal: AbortSignal }): AsyncIterable<L>
  /** What is gone already is success. @throws UpstreamError; the signal's reason */
  remove(leftover: L, options: { signal: AbortSignal }): Promise<void>
}

/** Whether one leftover was removed, and why not. */
export type LeftoverOutcome =
  /** Left where it is, because it was a dry run. */
  | 'found'
  | 'removed'
  | 'failed'
  /** Enough was removed in this run; the next one goes on. */
  | 'left'

/** One leftover in a report. */
export interface CleanedLeftover extends Leftover {
  readonly outcome: LeftoverOutcome
  readonly code: ErrorCode | null
}

/** Sums over leftovers. */
export interface CleanedSum {
  leftovers: number
  items: number
  bytes: number
}

/** What a run has found and done. */
export interface CleanReport {
  sums: Readonly<Record<LeftoverOutcome, CleanedSum>>
  /** Removed ones by kind. */
  removed: ReadonlyMap<LeftoverKind, CleanedSum>
  /** Places that couldn't be looked through, by what they failed with. */
  unseen: readonly ErrorCode[]
}

/** How a run goes. */
export interface CleanOptions {
  /** Nothing is removed. */
  dryRun: boolean
  /** Items that one run removes; what comes beyond is reported as `left`. */
  itemsMax: number
  /** Called for each leftover as it is done with. */
  onLeftover(leftover: CleanedLeftover): void
  signal: AbortSignal
}

/**
 * Looks through all places, one after the other, and removes what is left over there. What fails is
 * reported and doesn't stop the rest: it is found again the next time.
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
        this.note(leftover, await this.take(source, leftover))
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
    // The first leftover goes even above the limit: a larger one would otherwise stay for ever.
    if (done > 0 && done + leftover.items > itemsMax) return { outcome: 'left', code: null }
    try {
      await source.remove(leftover, { signal })
      return { outcome: 'removed', code: null }
    } catch (error) {
      return { outcome: 'failed', code: this.codeOf(error) }
    }
  }

  /** @throws what isn't a failure of the place that was looked through */
  private codeOf(error: unknown): ErrorCode {
    this.options.signal.throwIfAborted()
    if (error instanceof NightscribeError && !isStop(error)) return error.code
    throw error
  }

  private note(
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
