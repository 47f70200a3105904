import { type Clock, sleepFor } from '../src/kernel/clock.js'
import type { JobWorker } from '../src/queue/bullmq-job-worker.js'
import type { JobBoard } from '../src/queue/index.js'

/** A message that was lost is made up for within this. */
const LOOK_INTERVAL_MS = 30_000

/**
 * Stops jobs that people have canceled, until the signal aborts: at once where it hears of it, and
 * else at the next look at their cards, for nobody hears what is said while a connection is cut.
 * @throws UpstreamError `queue_unavailable` when it can't listen
 */
export async function heedCancels(
  stages: readonly JobWorker[],
  { board, clock }: { board: JobBoard; clock: Clock },
  { signal }: { signal: AbortSignal },
): Promise<void> {
  const stop = (jobId: string) => void stages.map((stage) => stage.cancel(jobId))
  await board.onCancel(stop, { signal })
  void lookAgain(stages, { board, clock, stop, signal })
}

async function lookAgain(
  stages: readonly JobWorker[],
  options: { board: JobBoard; clock: Clock; stop(jobId: string): void; signal: AbortSignal },
): Promise<void> {
  const { board, clock, stop, signal } = options
  for (;;) {
    // Waking by the stop is the other way to end.
    await sleepFor(clock, LOOK_INTERVAL_MS, { signal }).catch(() => {})
    if (signal.aborted) return
    for (const jobId of stages.flatMap((stage) => stage.running)) {
      const card = await board.get(jobId).catch(() => null) // Redis is away; the next look
      if (card?.cancelRequested) stop(jobId)
    }
  }
}
