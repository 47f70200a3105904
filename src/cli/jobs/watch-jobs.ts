import { type Clock, sleepFor } from '../../kernel/clock.js'
import { isFinal } from '../../queue/contract/job-status.js'
import type { JobRecord, JobStore } from '../../queue/index.js'
import type { ProgressView } from './progress-view.js'

/** How often the board is looked at. */
const POLL_INTERVAL_MS = 250

/**
 * Shows jobs until all of them have ended.
 * @returns their last cards by id; a card that Redis has dropped meanwhile is missing
 * @throws the signal's reason; the jobs go on without us
 */
export async function watchJobs(
  ports: { jobStore: JobStore; clock: Clock },
  jobIds: readonly string[],
  view: ProgressView,
  { signal }: { signal: AbortSignal },
): Promise<Map<string, JobRecord>> {
  const last = new Map<string, JobRecord>()
  let open = [...new Set(jobIds)]
  for (;;) {
    const still: string[] = []
    for (const jobId of open) {
      const record = await ports.jobStore.get(jobId)
      if (!record) continue
      last.set(jobId, record)
      view.show(record)
      if (!isFinal(record.status)) still.push(jobId)
    }
    open = still
    if (open.length === 0) return last
    await sleepFor(ports.clock, POLL_INTERVAL_MS, { signal })
  }
}
