/**
 * The states of a job, in the order in which it passes them:
 *
 * - `created`: written to storage, not queued yet
 * - `probing`: waits for or is in its analysis pass
 * - `queued`: waits for a worker, or for its next attempt
 * - `admitted`: has its sessions, no audio was sent yet
 * - `running`: audio is being replayed
 * - `finalizing`: results are being written
 * - `completed`, `failed`, `canceled`: final. One that failed with a `retryable` error is a dead
 *   letter: its checkpoints and its decoded audio stay, and `jobs retry` goes on from them
 */
export const JOB_STATUSES = [
  'created',
  'probing',
  'queued',
  'admitted',
  'running',
  'finalizing',
  'completed',
  'failed',
  'canceled',
] as const

/** One of `JOB_STATUSES`. */
export type JobStatus = (typeof JOB_STATUSES)[number]

/** Whether a job with this status has ended. */
export function isFinal(status: JobStatus): boolean {
  return status === 'completed' || status === 'failed' || status === 'canceled'
}

/**
 * Whether an update may change one status to another. A job that has ended starts again only with a
 * new record: a worker that slept through the end must not reopen the job.
 */
export function mayFollow(status: JobStatus, next: JobStatus): boolean {
  if (status === 'completed') return next === 'completed'
  return isFinal(next) || !isFinal(status)
}
