import { type Clock, sleepFor } from '../src/kernel/clock.js'
import type { JobWorker } from '../src/queue/bullmq-job-worker.js'
import type { JobStore } from '../src/queue/index.js'

/** A message that was lost is made up for within this. */
const LOOK_INTERVAL_MS = 30_000

/**
 * Stops jobs that people have canceled, until the signal aborts: at once by the message, and
 * else within 30 s by the job record, because a message is lost while a connection is cut.
 * @throws UpstreamError `queue_unavailable` when it can't listen
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
    // Waking by the stop is the other way to end.
    await sleepFor(clock, LOOK_INTERVAL_MS, { signal }).catch(() => {})
    if (signal.aborted) return
    try {
      for (const jobId of stages.flatMap((stage) => stage.running)) {
        if ((await jobStore.get(jobId, { signal }))?.cancelRequested) stop(jobId)
      }
    } catch {
      // Redis is away, and would keep every further question waiting; the next look asks again.
    }
  }
}
