import type { JobMeter } from '../latency/job-meter.js'
import type { Attempt } from '../queue/index.js'
import type { AnalysisDocument } from '../storage/documents/analysis-document.js'
import type { JobDocument } from '../storage/documents/job-document.js'

/** One attempt at a recording that has been analysed. */
export interface Transcription {
  attempt: Attempt
  /** Number of the attempt as people see it; see `JobRecord.attempt`. */
  attemptNumber: number
  fence: number
  job: JobDocument
  analysis: AnalysisDocument
  meter: JobMeter
  /** Where attempts took the job over from a checkpoint, this one last. */
  resumedFromMs: readonly number[]
  /** Wall clock. */
  startedAtMs: number
}
