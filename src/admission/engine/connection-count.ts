/**
 * From `sinceMs` on a worker had that number of connections to an engine; its clock or the store's.
 */
export type ConnectionCount = readonly [sinceMs: number, connections: number]

/** An engine's own count of connections, taken at some moment between two, in the store's time. */
export interface ConnectionReading {
  readonly fromMs: number
  readonly toMs: number
  readonly connections: number
}

/** A worker's report of its connections to an engine. */
export interface CountedConnections {
  /** The moment up to which its counts are complete, in the store's time. */
  readonly atMs: number
  /** Readings of the gauge, the oldest first. */
  readonly connectionCounts: readonly ConnectionCount[]
}

/** Counts are kept for 5 s: a reading is compared with reports of workers that come after it. */
const KEPT_MS = 5_000
/** Far more changes than a thousand sessions make in 5 s; beyond it the oldest are dropped. */
const COUNTS_MAX = 512
/**
 * Engine and worker see a connection begin and end within 250 ms of each other, the difference of
 * clocks included. A process that was suspended for longer reports an end that much too late.
 */
const GUARD_MS = 250

/** The number of connections of a process to one engine over the last 5 s, by its own clock. */
export class ConnectionLog {
  private readonly counts: ConnectionCount[] = [[0, 0]]

  /** A connection has begun (1) or ended (-1). */
  add(by: 1 | -1, nowMs: number): void {
    const [, count] = this.counts.at(-1) as ConnectionCount
    this.counts.push([nowMs, count + by])
    this.forget(nowMs)
  }

  /** The counts in order of time; the first one is in force when the kept time begins. */
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
 * Whether all connections that an engine counted belong to the given workers, by the newest reading
 * that can be compared. Each worker counts with its least number around the reading. With its last
 * number, a worker that opens a session meanwhile would make a dead worker's connection look like
 * its own. Pure.
 *
 * @param readings in order of time
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

/** The readings of the last 5 s: older ones can't be compared any more. */
export function freshReadings(
  readings: readonly ConnectionReading[],
  nowMs: number,
): ConnectionReading[] {
  return readings.filter(({ fromMs }) => fromMs > nowMs - KEPT_MS)
}

/** The least connections that a worker had around a reading; null where that isn't known. */
function leastDuring(
  { atMs, connectionCounts }: CountedConnections,
  { fromMs, toMs }: ConnectionReading,
): number | null {
  if (atMs < toMs + GUARD_MS) return null
  let least: number | null = null
  // A worker of an older release reports no counts.
  for (const [sinceMs, count] of connectionCounts ?? []) {
    if (sinceMs > toMs + GUARD_MS) break
    if (sinceMs <= fromMs - GUARD_MS) least = count
    else if (least !== null) least = Math.min(least, count)
  }
  return least
}
