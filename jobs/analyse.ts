import type { WorkPorts } from '../src/pipeline/index.js'
import { analyseRecording } from '../src/pipeline/intake/analyse-recording.js'
import type { JobWorker } from '../src/queue/bullmq-job-worker.js'
import { runStage, type StageOptions } from './run-stage.js'

/** Starts the stage `analyse`: decode once, store the findings, queue the job for `transcribe`. */
export function startAnalyse(work: WorkPorts, options: StageOptions): JobWorker {
  return runStage('analyse', work, options, analyseRecording)
}
