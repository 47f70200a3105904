import { z } from 'zod'

/**
 * How often a stage of a job was tried in vain since audio of it was last made safe. Lies in the
 * queue's entry, so that it ends with it: a new stage and a `jobs retry` begin at `NO_TRIES`.
 */
export const tryCount = z.object({
  /** Tries that ended with an error. */
  failures: z.int().min(0),
  /** Times that a worker was lost while it had the job. */
  takeovers: z.int().min(0),
  /** The queue's own count of lost workers that `takeovers` goes up to; that one never falls. */
  stallsSeen: z.int().min(0),
  /** The most audio (ms, all lanes together) that was ever found safe. */
  safeAudioMs: z.number().min(0),
})

/** See `tryCount`. */
export type TryCount = z.infer<typeof tryCount>

/** Of a job that was never tried. */
export const NO_TRIES: TryCount = { failures: 0, takeovers: 0, stallsSeen: 0, safeAudioMs: 0 }

/** A try begins: workers that were lost meanwhile are counted. @param stalls the queue's count */
export function countBegun(count: TryCount, seen: { stalls: number; safeAudioMs: number }) {
  const { failures, takeovers, stallsSeen, safeAudioMs } = sinceProgress(count, seen.safeAudioMs)
  const lost = Math.max(0, seen.stalls - stallsSeen)
  return { failures, takeovers: takeovers + lost, stallsSeen: seen.stalls, safeAudioMs }
}

/** A try ended with an error. What it made safe before makes it the first one in vain. */
export function countFailed(count: TryCount, safeAudioMs: number): TryCount {
  const since = sinceProgress(count, safeAudioMs)
  return { ...since, failures: since.failures + 1 }
}

function sinceProgress(count: TryCount, safeAudioMs: number): TryCount {
  if (safeAudioMs <= count.safeAudioMs) return count
  return { ...count, failures: 0, takeovers: 0, safeAudioMs }
}
