import type { Waiter } from '../index.js'

/**
 * The order of the queue: higher priority, then the earlier deadline, then the longest recording,
 * because a long one that begins last keeps the whole night waiting. Every `agingMs` of waiting
 * counts as one step of priority above the others of the same one, so that no job waits for ever.
 */
export function waitingOrder(
  waiters: readonly Waiter[],
  options: { nowMs: number; agingMs: number },
): Waiter[] {
  const { nowMs, agingMs } = options
  const rank = ({ priority, sinceMs }: Waiter) =>
    priority + Math.floor(Math.max(0, nowMs - sinceMs) / agingMs)
  const deadline = ({ deadlineMs }: Waiter) => deadlineMs ?? Number.POSITIVE_INFINITY
  return [...waiters].sort(
    (one, other) =>
      rank(other) - rank(one) ||
      // Infinity less infinity would be NaN, which sorts nothing.
      (deadline(one) === deadline(other) ? 0 : deadline(one) - deadline(other)) ||
      other.remainingMs - one.remainingMs ||
      one.sinceMs - other.sinceMs ||
      (one.jobId < other.jobId ? -1 : 1),
  )
}
