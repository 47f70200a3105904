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
  /** Offsets, in ms, at which attempts continued from a checkpoint; this attempt's is the last. */
  resumedFromMs: readonly number[]
  /** When the attempt began to wait for its sessions, ms of the Unix epoch. */
  startedAtMs: number
}
