import type { WorkPorts } from '../src/pipeline/index.js'
import { writeEnd } from '../src/pipeline/lifecycle/end-job.js'
import { type JobWorker, startJobWorker } from '../src/queue/bullmq-job-worker.js'
import type { Attempt, Stage } from '../src/queue/index.js'
import { JOB_CANCELED } from '../src/queue/job-disposition.js'
import type { JobWorkerOptions } from '../src/queue/job-worker-options.js'
import type { WorkerEvents } from './events.js'

/** Time in which the end of a try must be written down. */
const WRITE_END_TIMEOUT_MS = 60_000

/** What `runStage` answers itself, and what is the same for every stage. */
type OwnOptions =
  | 'stage'
  | 'run'
  | 'begun'
  | 'checkpointedAudioMs'
  | 'onTakenOver'
  | 'onEnded'
  | 'onBug'
  | 'onError'

/** How a stage is worked off. */
export interface StageOptions extends Omit<JobWorkerOptions, OwnOptions> {
  events: WorkerEvents
  /** A try ended with an error that is nobody's but ours; the job has failed. */
  onBug(thrown: unknown): void
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
      const { jobId, failuresSinceProgress } = attempt
      events.attemptStarted(stage, jobId, failuresSinceProgress)
      const record = await work.jobStore.get(jobId)
      // Its worker died between writing that down and taking it out of the queue.
      if (record?.status === 'failed' || record?.status === 'canceled') return
      if (record?.cancelRequested) throw JOB_CANCELED
      await body(work, attempt)
      events.attemptDone(stage, jobId)
    },
    // A transcription draws its fence when it has its sessions; an analysis is at work at once.
    begun: async (jobId) =>
      stage === 'transcribe' ? ((await work.jobStore.get(jobId))?.fence ?? 0) : null,
    checkpointedAudioMs: async (jobId) =>
      (await work.jobStore.get(jobId))?.checkpointedAudioMs ?? 0,
    onTakenOver: (jobId, seen) =>
      work.jobStore.appendHistory(jobId, { kind: 'taken-over', ...seen }),
    async onEnded(jobId, end) {
      events.attemptEnded(stage, jobId, end.kind, 'error' in end ? end.error : null)
      const signal = AbortSignal.timeout(WRITE_END_TIMEOUT_MS)
      await writeEnd(work, jobId, end, await work.jobStore.get(jobId), { signal })
    },
    onBug(jobId, thrown) {
      events.bug(stage, jobId, thrown)
      options.onBug(thrown)
    },
    onError: (error) => events.queueError(error),
  })
}
