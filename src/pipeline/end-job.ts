import { InputError } from '../kernel/errors.js'
import { type AttemptEnd, isFinal, type JobCard } from '../queue/index.js'
import { jobDocument } from '../storage/job-document.js'
import { jobKey } from '../storage/keys.js'
import { readJson } from '../storage/stored-json.js'
import { nextFence } from './attempt-fence.js'
import { readManifest } from './commit-result.js'
import { clearFailures, recordFailure } from './failure-record.js'
import type { IntakePorts } from './index.js'
import { startJob } from './submit-recording.js'

/** What a cancel request met. */
export type CancelOutcome =
  /** It was waiting and will not start. */
  | 'canceled'
  /** A worker is at it and has been told. */
  | 'requested'
  /** It had ended before. */
  | 'ended'

/** Cancels a job, whether it waits or runs. @throws InputError `job_not_found` */
export async function cancelJob(
  ports: IntakePorts,
  jobId: string,
  options: { signal: AbortSignal },
): Promise<CancelOutcome> {
  const card = await cardOf(ports, jobId)
  if (isFinal(card.status)) return 'ended'
  await ports.board.requestCancel(jobId)
  if (!(await ports.queue.remove(jobId))) return 'requested'
  await writeEnd(ports, jobId, { kind: 'canceled' }, card.fence, options)
  return 'canceled'
}

/**
 * Starts a failed or canceled job again.
 * @throws InputError `job_not_found`, or when the job is not one that ended so
 */
export async function retryJob(
  ports: IntakePorts,
  jobId: string,
  options: { signal: AbortSignal },
): Promise<void> {
  const document = await readJson(ports.store, jobKey(jobId), jobDocument, options)
  if (!document) throw notFound(jobId)
  const card = await ports.board.get(jobId)
  if (await readManifest(ports.store, jobId, options)) {
    throw new InputError('input_unsupported', `Job ${jobId} is done; there is nothing to retry.`)
  }
  if (card && !isFinal(card.status) && (await ports.queue.has(jobId))) {
    throw new InputError('input_unsupported', `Job ${jobId} is ${card.status}; it needs no retry.`)
  }
  await clearFailures(ports.store, jobId, options)
  await startJob(ports, document)
}

/** Writes down how a try ended, on the board and, where it was the end, in storage. */
export async function writeEnd(
  ports: IntakePorts,
  jobId: string,
  end: AttemptEnd,
  fence: number | null,
  options: { signal: AbortSignal },
): Promise<void> {
  switch (end.kind) {
    case 'handed-back':
      await ports.board.update(jobId, { status: 'queued' })
      return
    case 'waiting':
      await ports.board.update(jobId, { status: 'queued', waiting: end.waiting })
      return
    case 'retrying':
      await ports.board.update(jobId, { status: 'queued', error: end.error })
      return
    case 'failed':
    case 'canceled': {
      const error = end.kind === 'failed' ? end.error : null
      const code = error?.code ?? 'canceled'
      const detail = error?.detail ?? 'The job was canceled.'
      const own = fence ?? (await nextFence(ports, jobId, options))
      await recordFailure(ports, { jobId, fence: own, code, detail }, options)
      await ports.board.update(jobId, { status: end.kind, error })
      // Nobody behind it shall wait for one that never comes.
      await ports.waiting.remove(jobId, options)
    }
  }
}

async function cardOf(ports: IntakePorts, jobId: string): Promise<JobCard> {
  const card = await ports.board.get(jobId)
  if (!card) throw notFound(jobId)
  return card
}

function notFound(jobId: string): InputError {
  return new InputError(
    'job_not_found',
    `There is no job ${jobId}; \`nightscribe jobs\` lists them.`,
  )
}
