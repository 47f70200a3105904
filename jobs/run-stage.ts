import { StopRequested } from '../src/kernel/errors.js'
import { writeEnd } from '../src/pipeline/end-job.js'
import type { WorkPorts } from '../src/pipeline/index.js'
import {
  type JobWorker,
  type JobWorkerOptions,
  startJobWorker,
} from '../src/queue/bullmq-job-worker.js'
import type { Attempt, Stage } from '../src/queue/index.js'
import { CANCEL_CODE } from '../src/queue/job-disposition.js'
import type { WorkerEvents } from './events.js'

/** Time in which the end of a try must be written down. */
const WRITE_END_TIMEOUT_MS = 60_000

/** How a stage is worked off: the worker's options less what is the same for every stage. */
export interface StageOptions
  extends Omit<JobWorkerOptions, 'stage' | 'run' | 'onEnded' | 'onError'> {
  events: WorkerEvents
}

/** Takes jobs of one stage and runs `body` for each; how a try ended is written down. */
export function runStage(
  stage: Stage,
  work: WorkPorts,
  options: StageOptions,
  body: (work: WorkPorts, attempt: Attempt) => Promise<void>,
): JobWorker {
  const { events } = options
  return startJobWorker({
    ...options,
    stage,
    async run(attempt) {
      const { jobId, number } = attempt
      events.attemptStarted(stage, jobId, number)
      const card = await work.board.get(jobId)
      if (card?.cancelRequested) throw new StopRequested(CANCEL_CODE, 'The job was canceled.')
      await body(work, attempt)
      events.attemptDone(stage, jobId)
    },
    async onEnded(jobId, end) {
      events.attemptEnded(stage, jobId, end.kind, 'error' in end ? end.error : null)
      const signal = AbortSignal.timeout(WRITE_END_TIMEOUT_MS)
      const card = await work.board.get(jobId)
      await writeEnd(work, jobId, end, card?.fence ?? null, { signal })
    },
    onError: (error) => events.queueError(error),
  })
}
