import type { WorkPorts } from '../src/pipeline/index.js'
import { transcribeRecording } from '../src/pipeline/transcribe-recording.js'
import type { JobWorker } from '../src/queue/bullmq-job-worker.js'
import { runStage, type StageOptions } from './run-stage.js'

/** Starts the stage `transcribe`: replay into sessions, assemble the text, commit it. */
export function startTranscribe(work: WorkPorts, options: StageOptions): JobWorker {
  return runStage('transcribe', work, options, transcribeRecording)
}
