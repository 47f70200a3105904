import { type Clock, pauseFor } from '../src/kernel/clock.js'
import type { JobWorker } from '../src/queue/bullmq-job-worker.js'
import type { JobStore } from '../src/queue/index.js'

/** Interval, in ms, at which job records are read: a lost message is made up for within it. */
const LOOK_INTERVAL_MS = 30_000

/**
 * Stops running jobs that people have canceled, until the signal aborts: at once by a message of
 * Redis, and every 30 s by reading their records, because messages are lost while a connection is
 * cut.
 * @throws UpstreamError `queue_unavailable` where it can't subscribe
 */
export async function watchCancels(
  stages: readonly JobWorker[],
  { jobStore, clock }: { jobStore: JobStore; clock: Clock },
  { signal }: { signal: AbortSignal },
): Promise<void> {
  const stop = (jobId: string) => void stages.map((stage) => stage.cancel(jobId))
  await jobStore.onCancel(stop, { signal })
  void lookAgain(stages, { jobStore, clock, stop, signal })
}

async function lookAgain(
  stages: readonly JobWorker[],
  options: { jobStore: JobStore; clock: Clock; stop(jobId: string): void; signal: AbortSignal },
): Promise<void> {
  const { jobStore, clock, stop, signal } = options
  for (;;) {
    await pauseFor(clock, LOOK_INTERVAL_MS, { signal })
    if (signal.aborted) return
    try {
      for (const jobId of stages.flatMap((stage) => stage.running)) {
        if ((await jobStore.get(jobId, { signal }))?.cancelRequested) stop(jobId)
      }
    } catch {
      // Redis is unavailable, and every further read would wait too: the next round reads again.
    }
  }
}
