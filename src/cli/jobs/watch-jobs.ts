import { type Clock, sleepFor } from '../../kernel/clock.js'
import { isFinal, type JobBoard, type JobCard } from '../../queue/index.js'
import type { ProgressView } from './progress-view.js'

/** How often the board is looked at. */
const POLL_INTERVAL_MS = 250

/**
 * Shows jobs until all of them have ended.
 * @returns their last cards by id; a card that Redis has dropped meanwhile is missing
 * @throws the signal's reason; the jobs go on without us
 */
export async function watchJobs(
  ports: { board: JobBoard; clock: Clock },
  jobIds: readonly string[],
  view: ProgressView,
  { signal }: { signal: AbortSignal },
): Promise<Map<string, JobCard>> {
  const last = new Map<string, JobCard>()
  let open = [...new Set(jobIds)]
  for (;;) {
    const still: string[] = []
    for (const jobId of open) {
      const card = await ports.board.get(jobId)
      if (!card) continue
      last.set(jobId, card)
      view.show(card)
      if (!isFinal(card.status)) still.push(jobId)
    }
    open = still
    if (open.length === 0) return last
    await sleepFor(ports.clock, POLL_INTERVAL_MS, { signal })
  }
}
