import { type Clock, sleepFor } from '../../kernel/clock.js'
import { NightscribeError } from '../../kernel/errors.js'
import { isFinal } from '../../queue/contract/job-status.js'
import type { JobRecord, JobStore } from '../../queue/index.js'
import type { ProgressView } from './progress-view.js'

/** How often, in ms, the job records are read. */
const POLL_INTERVAL_MS = 250

/**
 * Shows jobs until all have ended. Keeps waiting while Redis is unreachable.
 * @returns their last records by id, without those that Redis has meanwhile dropped
 * @throws the signal's reason; the jobs themselves go on
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
    open = await stillOpen(open)
    if (open.length === 0) return last
    await sleepFor(ports.clock, POLL_INTERVAL_MS, { signal })
  }

  async function stillOpen(jobIds: readonly string[]): Promise<string[]> {
    const still: string[] = []
    for (const [at, jobId] of jobIds.entries()) {
      try {
        const record = await ports.jobStore.get(jobId, { signal })
        if (!record) continue
        last.set(jobId, record)
        view.show(record)
        if (!isFinal(record.status)) still.push(jobId)
      } catch (error) {
        const isAway = error instanceof NightscribeError && error.code === 'queue_unavailable'
        if (signal.aborted || !isAway) throw error
        return [...still, ...jobIds.slice(at)]
      }
    }
    return still
  }
}
