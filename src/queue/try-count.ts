import { z } from 'zod'

/**
 * How often a stage of a job failed since audio of it was last made safe. Stored in the queue's
 * entry and gone with it: a new stage and a `jobs retry` begin at `NO_TRIES`.
 */
export const tryCount = z.object({
  /** Attempts that ended with an error. */
  failuresSinceProgress: z.int().min(0),
  /** Times that a worker was lost while it had the job. */
  takeovers: z.int().min(0),
  /** BullMQ's count of lost workers that `takeovers` already includes; BullMQ's never falls. */
  stallsSeen: z.int().min(0),
  /** Number of the last attempt that got to work and whose end is known. */
  begunSeen: z.int().min(0).default(0), // an older release's entry lacks it
  /** The most audio that was ever found safe, in ms of all lanes together. */
  checkpointedAudioMs: z.number().min(0),
})

/** See `tryCount`. */
export type TryCount = z.infer<typeof tryCount>

/** The count of a job without an attempt so far. */
export const NO_TRIES: TryCount = {
  failuresSinceProgress: 0,
  takeovers: 0,
  stallsSeen: 0,
  begunSeen: 0,
  checkpointedAudioMs: 0,
}

/**
 * The count when an attempt begins. Workers that were lost since are counted as takeovers, but not
 * where the job only waited for room: a waiting job can't have killed its worker, which may hold
 * hundreds of them.
 *
 * @param seen.stalls the queue's count
 * @param seen.begun number of the last attempt that got to work; null where each one does
 */
export function countBegun(
  count: TryCount,
  seen: { stalls: number; begun: number | null; checkpointedAudioMs: number },
): TryCount {
  const since = sinceProgress(count, seen.checkpointedAudioMs)
  const stalls = Math.max(0, seen.stalls - since.stallsSeen)
  const begun = seen.begun === null ? stalls : Math.max(0, seen.begun - since.begunSeen)
  const takeovers = since.takeovers + Math.min(stalls, begun)
  return { ...countTold(since, seen.begun), takeovers, stallsSeen: seen.stalls }
}

/** The count once the end of the last attempt at work is known: no worker was lost with it. */
export function countTold(count: TryCount, begun: number | null): TryCount {
  return { ...count, begunSeen: begun ?? count.begunSeen }
}

/** The count after an attempt failed: one more, or 1 where it made audio safe before. */
export function countFailed(count: TryCount, checkpointedAudioMs: number): TryCount {
  const since = sinceProgress(count, checkpointedAudioMs)
  return { ...since, failuresSinceProgress: since.failuresSinceProgress + 1 }
}

function sinceProgress(count: TryCount, checkpointedAudioMs: number): TryCount {
  if (checkpointedAudioMs <= count.checkpointedAudioMs) return count
  return { ...count, failuresSinceProgress: 0, takeovers: 0, checkpointedAudioMs }
}
