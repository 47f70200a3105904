import type { WaitReason } from '../../admission/index.js'
import { CapacityError } from '../../kernel/errors.js'
import { STEP_MS } from '../../model/pcm.js'
import type { JobDocument } from '../../storage/documents/job-document.js'
import type { WorkPorts } from '../index.js'
import type { LaneStart } from './lane-starts.js'
import type { LaneToReplay } from './replay-lanes.js'

/**
 * Requests a session for every lane that has audio left.
 * @throws CapacityError when the job has to wait: it is then in the queue for admission, and holds
 *   no lease; InputError when it can never fit
 */
export async function requestAdmission(
  ports: Pick<WorkPorts, 'sessions' | 'engines'>,
  { job, starts }: { job: JobDocument; starts: readonly LaneStart[] },
  { signal }: { signal: AbortSignal },
): Promise<LaneToReplay[]> {
  const open = starts.filter(({ framesLeft }) => framesLeft > 0)
  if (open.length === 0) {
    await ports.sessions.leave(job.job_id, { signal })
    return []
  }
  const pace = job.options.pace === 'max' ? 0 : job.options.pace
  const lanes = open.map(({ fromFrame, cuts, framesLeft }) => {
    return { pace, fromFrame, cuts, remainingMs: (framesLeft * STEP_MS) / Math.max(1, pace) }
  })
  const { priority, deadline_at: deadlineAt } = job.options
  const admission = await ports.sessions.admit(
    {
      ...{ jobId: job.job_id, tenant: job.tenant, name: job.name, priority, lanes, live: false },
      deadlineMs: deadlineAt === null ? null : Date.parse(deadlineAt),
    },
    { signal },
  )
  if (admission.kind === 'admitted') {
    return admission.lanes.map((chain, at) => ({ chain, start: open[at] as LaneStart }))
  }
  const { place, reason, expectedStartMs, retryAfterMs } = admission
  const outage = reason === 'engines' ? ports.engines.outage() : null
  throw new CapacityError('engine_overloaded', outage ?? WAITING_FOR[reason], {
    retryAfterMs,
    place,
    expectedStartAtMs: expectedStartMs,
  })
}

const WAITING_FOR: Readonly<Record<WaitReason, string>> = {
  turn: 'Other recordings are before it.',
  lanes: 'As many recordings run as may at a time.',
  parked: 'Recordings that have begun wait for room themselves.',
  kv: "The engine's KV cache has no room for it yet.",
  'step-time': "The engine's steps would take too long with one more session.",
  engines: 'No engine is up.',
}
