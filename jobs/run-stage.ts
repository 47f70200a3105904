import { abortedWithin } from '../src/kernel/abort.js'
import type { WorkPorts } from '../src/pipeline/index.js'
import { writeEnd } from '../src/pipeline/lifecycle/end-job.js'
import { patientPorts } from '../src/pipeline/lifecycle/patient-ports.js'
import { type JobWorker, startJobWorker } from '../src/queue/bullmq-job-worker.js'
import type { Attempt, Stage } from '../src/queue/index.js'
import { JOB_CANCELED } from '../src/queue/job-disposition.js'
import type { JobWorkerOptions } from '../src/queue/job-worker-options.js'
import type { WorkerEvents } from './events.js'

/** Time limit for writing how an attempt ended, in ms. */
const WRITE_END_TIMEOUT_MS = 60_000

/** The worker options that `runStage` sets itself, the same for every stage. */
type OwnOptions = 'stage' | 'jobStore' | 'run' | 'writeEnd' | 'observer'

/** Options of a stage's worker. */
export interface StageOptions extends Omit<JobWorkerOptions, OwnOptions> {
  events: WorkerEvents
  /** An attempt ended with a bug of ours; the job has failed. */
  onBug(thrown: unknown): void
}

/** Takes jobs of one stage, runs `body` for each, and stores how each attempt ended. */
export function runStage(
  stage: Stage,
  work: WorkPorts,
  options: StageOptions,
  body: (work: WorkPorts, attempt: Attempt) => Promise<void>,
): JobWorker {
  const { events } = options
  const patient = patientPorts(work)
  return startJobWorker({
    ...options,
    stage,
    jobStore: work.jobStore,
    async run(attempt, record) {
      const { jobId, failuresSinceProgress } = attempt
      events.attemptStarted(stage, jobId, failuresSinceProgress)
      // The job has ended: its worker died after writing that and before it left the queue.
      if (record?.status === 'failed' || record?.status === 'canceled') return
      if (record?.cancelRequested) throw JOB_CANCELED
      await body(patient, attempt)
      events.attemptDone(stage, jobId)
    },
    async writeEnd(jobId, end, record, { signal }) {
      events.attemptEnded(stage, jobId, end.kind, 'error' in end ? end.error : null)
      const inTime = { signal: abortedWithin(WRITE_END_TIMEOUT_MS, signal) }
      await writeEnd(work, jobId, end, record, inTime)
    },
    observer: {
      bug(jobId, thrown) {
        events.bug(stage, jobId, thrown)
        options.onBug(thrown)
      },
      trouble: (error) => events.queueError(error),
    },
  })
}
