/** From when on a worker had so many connections to an engine, in its clock or the store's. */
export type ConnectionCount = readonly [sinceMs: number, connections: number]

/** An engine's own count, taken at some moment between two, in the store's time. */
export interface ConnectionReading {
  readonly fromMs: number
  readonly toMs: number
  readonly connections: number
}

/** What a worker tells of its connections. */
export interface CountedConnections {
  /** Until when its counts hold, in the store's time. */
  readonly atMs: number
  /** In order. */
  readonly connectionCounts: readonly ConnectionCount[]
}

/** Counts are kept for so long: a reading is compared with pulses that come after it. */
const KEPT_MS = 5_000
/** Far more than a thousand sessions change in that time; of more the oldest are forgotten. */
const COUNTS_MAX = 512
/**
 * Both ends of a connection see it begin and end within so much of each other, clocks included.
 * A process that stood still for longer tells of an end that much too late.
 */
const GUARD_MS = 250

/** How many connections a process had to one engine in the last seconds, by its own clock. */
export class ConnectionLog {
  private readonly counts: ConnectionCount[] = [[0, 0]]

  /** One more, or one less. */
  add(by: 1 | -1, nowMs: number): void {
    const [, count] = this.counts.at(-1) as ConnectionCount
    this.counts.push([nowMs, count + by])
    this.forget(nowMs)
  }

  /** In order; the first one tells what was when the others begin. */
  take(nowMs: number): readonly ConnectionCount[] {
    this.forget(nowMs)
    return [...this.counts]
  }

  private forget(nowMs: number): void {
    const old = this.counts.filter(([sinceMs]) => sinceMs <= nowMs - KEPT_MS).length
    this.counts.splice(0, Math.max(0, old - 1, this.counts.length - COUNTS_MAX))
  }
}

/**
 * Whether all connections that an engine counted were those of workers that have told of themselves
 * since: by the newest reading that can be compared. Sums of what each has told last would not do:
 * while one of them changes sessions, a dead worker's connection is taken for its own. Pure.
 *
 * @param readings in order
 */
export function areAllKnown(
  readings: readonly ConnectionReading[],
  workers: readonly CountedConnections[],
): boolean {
  for (const reading of [...readings].reverse()) {
    const counts = workers.map((worker) => leastDuring(worker, reading))
    if (counts.every((count) => count !== null)) {
      return reading.connections <= counts.reduce((sum, count) => sum + count, 0)
    }
  }
  return false
}

/** The readings that are still worth comparing. */
export function freshReadings(
  readings: readonly ConnectionReading[],
  nowMs: number,
): ConnectionReading[] {
  return readings.filter(({ fromMs }) => fromMs > nowMs - KEPT_MS)
}

/** The least that a worker had around a reading; null where that isn't known. */
function leastDuring(
  { atMs, connectionCounts }: CountedConnections,
  { fromMs, toMs }: ConnectionReading,
): number | null {
  if (atMs < toMs + GUARD_MS) return null
  let least: number | null = null
  // A worker of an older release tells of none.
  for (const [sinceMs, count] of connectionCounts ?? []) {
    if (sinceMs > toMs + GUARD_MS) break
    if (sinceMs <= fromMs - GUARD_MS) least = count
    else if (least !== null) least = Math.min(least, count)
  }
  return least
}
