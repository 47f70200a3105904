import type { CallOptions } from '../kernel/abort.js'
import type { JobError } from './contract/job-error.js'
import type { DatedHistoryEntry, JobHistoryEntry } from './contract/job-history.js'
import type { JobStatus } from './contract/job-status.js'

export type { JobError } from './contract/job-error.js'
export type { DatedHistoryEntry, JobHistoryEntry } from './contract/job-history.js'

/** The two kinds of work a job needs, each a queue of its own. */
export type Stage = 'analyse' | 'transcribe'
/** In the order in which a job passes them. */
export const STAGES: readonly Stage[] = ['analyse', 'transcribe']

/** What people see of a job that waits for room on the engines. */
export interface JobWaiting {
  /** 1-based position among all jobs that wait; null where there is no order. */
  place: number | null
  /** When it should start, ms of the Unix epoch; null where that isn't known. */
  expectedStartAtMs: number | null
  /** What the job waits for, as one sentence. */
  reason: string
}

/** What people see of a job. Redis may lose it: storage has all that a new attempt needs. */
export interface JobRecord {
  jobId: string
  tenant: string
  status: JobStatus
  /** The recording's key or file name. */
  sourceName: string
  priority: number
  /** When the transcript is wanted, ISO 8601 in UTC; null for no deadline. */
  deadlineAt: string | null
  /** Length of the recording in ms; null until the analysis knows it. */
  audioMsTotal: number | null
  /** Audio whose text has come back, in ms. */
  audioMsDone: number
  /**
   * Audio whose text is safe in a checkpoint, in ms of all lanes together: the next attempt
   * continues after it. A higher value counts as progress; see `try-count.ts`.
   */
  checkpointedAudioMs: number
  /** Number of the newest attempt that got its sessions: 1, 2, 3; 0 before. Shown to people. */
  attempt: number
  /**
   * Fencing token of the same attempt: above that of every earlier attempt, and never given twice.
   * An attempt writes its files below it. It may leave numbers out, and is never shown.
   */
  fence: number | null
  /** Failed attempts since `checkpointedAudioMs` last grew; the job fails at `attemptsMax`. */
  failuresSinceProgress: number
  error: JobError | null
  /** Set only while the job is `queued` and waits for room; any change of status clears it. */
  waiting: JobWaiting | null
  warnings: string[]
  engineIsStandin: boolean | null
  cancelRequested: boolean
  createdAtMs: number
  updatedAtMs: number
  /** When each status was first reached (Unix epoch), for metrics and for `jobs show`. */
  reachedAtMs: Partial<Record<JobStatus, number>>
}

/** Fields of a job record that change while the job runs. */
export type RecordChanges = Partial<
  Omit<JobRecord, 'jobId' | 'tenant' | 'createdAtMs' | 'updatedAtMs' | 'reachedAtMs'>
>

/** One event of a job's live stream. */
export type JobEvent =
  | { type: 'status'; status: JobStatus; error: JobError | null }
  | { type: 'progress'; audioMsDone: number; audioMsTotal: number }
  /** Text as it comes back; `endMs` is a time of the recording. */
  | { type: 'text'; channel: number | null; endMs: number; text: string }

/** A stream entry; reading continues after its `id`. */
export interface StreamedEvent {
  id: string
  atMs: number
  event: JobEvent
}

/**
 * Records, live events, cancel requests and fences of all jobs. Every method ends within seconds.
 * It throws UpstreamError `queue_unavailable` where Redis is unavailable, and its change then never
 * takes effect; or the signal's reason.
 */
export interface JobStore {
  create(record: JobRecord, options: CallOptions): Promise<void>
  /**
   * Changes a record. Does nothing where there is none, where the new status may not follow the
   * current one (`mayFollow`), or where `ifUpdatedAtMs` is given and the record was changed after
   * that time. A `status` without `waiting` clears `waiting`.
   */
  update(
    jobId: string,
    changes: RecordChanges,
    options: CallOptions & { ifUpdatedAtMs?: number },
  ): Promise<void>
  get(jobId: string, options: CallOptions): Promise<JobRecord | null>
  /** Ids of jobs that have not ended by their records, in no order; an id may come twice. */
  openIds(options: CallOptions): AsyncIterable<string>
  /** Jobs of one tenant, the newest first. */
  list(page: { tenant: string; limit: number }, options: CallOptions): Promise<JobRecord[]>
  /** Adds an entry to a job's history, of which the newest `HISTORY_ENTRIES_MAX` are kept. */
  appendHistory(jobId: string, entry: JobHistoryEntry, options: CallOptions): Promise<void>
  /** The history of a job, oldest entry first; a retry keeps it. */
  history(jobId: string, options: CallOptions): Promise<DatedHistoryEntry[]>
  publish(jobId: string, event: JobEvent, options: CallOptions): Promise<void>
  /** Entries after an id (`0` for all that are kept), oldest first, at most `limit`. */
  events(
    jobId: string,
    page: { afterId: string; limit: number },
    options: CallOptions,
  ): Promise<StreamedEvent[]>
  requestCancel(jobId: string, options: CallOptions): Promise<void>
  /** Calls back for every cancel request until the signal aborts. */
  onCancel(listener: (jobId: string) => void, options: CallOptions): Promise<void>
  /** A number above `floor` and above every one that was given out for this job before. */
  nextFence(jobId: string, floor: number, options: CallOptions): Promise<number>
}

/** Number of jobs of a stage by their state in the queue. */
export interface QueueDepth {
  /** Any worker may take them now. */
  waiting: number
  /** A worker has them. */
  active: number
  /** They come back later: after a failed attempt, or when there is room. */
  delayed: number
}

/**
 * The queue that workers take jobs from. Every method but `close` ends as those of `JobStore` do. A
 * change that was reported as failed may still happen later; each can be repeated without harm.
 */
export interface JobQueue {
  /** Adds a job, once: it has one entry in a stage. Higher `priority` (0 to 1000) goes first. */
  enqueue(stage: Stage, jobId: string, options: CallOptions & { priority: number }): Promise<void>
  /**
   * Makes a delayed job available to the workers at once, in the order of its priority. False where
   * the job is not delayed: it runs, waits for a worker already, or is gone.
   */
  promote(stage: Stage, jobId: string, options: CallOptions): Promise<boolean>
  /** Takes a waiting job out of every stage; false when none was waiting. */
  remove(jobId: string, options: CallOptions): Promise<boolean>
  /** Whether some stage has the job, waiting or active. */
  has(jobId: string, options: CallOptions): Promise<boolean>
  depth(options: CallOptions): Promise<Readonly<Record<Stage, QueueDepth>>>
  close(): Promise<void>
}

/** One run of one job's stage by this worker. */
export interface Attempt {
  jobId: string
  /** How often this stage failed since audio was last made safe. */
  failuresSinceProgress: number
  /** Aborts on cancel, lost lock and hand-back. */
  signal: AbortSignal
  /** @throws StopRequested when the queue has given the job to another worker */
  assertOwned(): Promise<void>
  /** Whether this worker still owns the job; can also be called after the signal has aborted. */
  isOwned(): Promise<boolean>
}

/** How an attempt ended that did not complete its stage. */
export type AttemptEnd =
  /** For good, after this many failures since audio was last made safe. */
  | { kind: 'failed'; error: JobError; failuresSinceProgress: number }
  /** Another attempt follows after `backoffMs`. */
  | {
      kind: 'retrying'
      error: JobError
      failuresSinceProgress: number
      backoffMs: number
      /** Audio that the next attempt needn't send again, ms of all lanes together. */
      checkpointedAudioMs: number
    }
  /** There was no room: it comes back later, or when it is promoted; no attempt is counted. */
  | { kind: 'waiting'; waiting: JobWaiting }
  | { kind: 'canceled' }
  | { kind: 'handed-back' }
