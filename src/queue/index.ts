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

/** The position in the queue of a job that waits for room on the engines. */
export interface JobWaiting {
  /** 1-based, among all that wait; null where there is no order. */
  place: number | null
  /** When it should start, ms of the Unix epoch; null where that isn't known. */
  expectedStartAtMs: number | null
  /** What there is no room in, one sentence. */
  reason: string
}

/** What people see of a job. The durable truth lies in storage; this is rebuilt from work. */
export interface JobRecord {
  jobId: string
  tenant: string
  status: JobStatus
  /** The recording's key or file name. */
  sourceName: string
  priority: number
  /** When the transcript is wanted, ISO 8601 in UTC; null for no deadline. */
  deadlineAt: string | null
  /** Length of the recording, once it is known. */
  audioMsTotal: number | null
  /** Audio whose text has come back. */
  audioMsDone: number
  /**
   * Audio whose text is safe in a checkpoint, ms of all lanes together: another attempt goes on
   * after it. A higher value is progress; see `try-count.ts`.
   */
  checkpointedAudioMs: number
  /** Of its newest attempt that got its sessions: 1, 2, 3; 0 before the first. Shown to people. */
  attempt: number
  /**
   * Of the same attempt: above that of every attempt before, and never given twice. What an attempt
   * writes lies below it. It may leave numbers out, and is never shown.
   */
  fence: number | null
  /** How often it failed since `checkpointedAudioMs` last grew; decides about another attempt. */
  failuresSinceProgress: number
  error: JobError | null
  /** Only while it is `queued` and waits for room; any other change of status ends it. */
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

/** One line of a job's live stream. */
export type JobEvent =
  | { type: 'status'; status: JobStatus; error: JobError | null }
  | { type: 'progress'; audioMsDone: number; audioMsTotal: number }
  /** Text as it comes; `endMs` in the recording. */
  | { type: 'text'; channel: number | null; endMs: number; text: string }

/** A stream entry with its id, from which reading goes on. */
export interface StreamedEvent {
  id: string
  atMs: number
  event: JobEvent
}

/**
 * Records, live events, cancel requests and fences of all jobs. Every method ends within seconds:
 * with UpstreamError `queue_unavailable` where Redis can't be had, and what it was to change then
 * stays as it is; or with the signal's reason.
 */
export interface JobStore {
  create(record: JobRecord, options: CallOptions): Promise<void>
  /**
   * Changes nothing where the record is gone, or its status can't follow (`mayFollow`), or it was
   * changed since it was read, where `ifUpdatedAtMs` says when that record was. A `status` without
   * `waiting` ends what was said of a wait.
   */
  update(
    jobId: string,
    changes: RecordChanges,
    options: CallOptions & { ifUpdatedAtMs?: number },
  ): Promise<void>
  get(jobId: string, options: CallOptions): Promise<JobRecord | null>
  /** Ids of jobs whose records say that they have not ended, in no order; some twice. */
  openIds(options: CallOptions): AsyncIterable<string>
  /** Jobs of one tenant, the newest first. */
  list(page: { tenant: string; limit: number }, options: CallOptions): Promise<JobRecord[]>
  /** Writes down what happened to a job; the newest `HISTORY_ENTRIES_MAX` are kept. */
  appendHistory(jobId: string, entry: JobHistoryEntry, options: CallOptions): Promise<void>
  /** What was written down, oldest first; also of what was before a retry. */
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

/** How many jobs of a stage stand where. */
export interface QueueDepth {
  /** Any worker may take them now. */
  waiting: number
  /** Some worker has them. */
  active: number
  /** They come back later: after a failed attempt, or when there is room. */
  delayed: number
}

/**
 * Puts work before the workers. Every method but `close` ends as those of `JobStore` do. What one
 * was to change may still happen after it was reported as failed; it is the same as once more.
 */
export interface JobQueue {
  /** The same job twice in a stage is one entry. Higher `priority` (0 to 1000) goes first. */
  enqueue(stage: Stage, jobId: string, options: CallOptions & { priority: number }): Promise<void>
  /**
   * Puts a job that was to come back later before the workers at once, in the order of its
   * priority; any worker may take it. False when it isn't delayed: it runs, is before the
   * workers already, or is gone.
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
  /** Whether the queue has not; also once the signal has aborted. */
  isOwned(): Promise<boolean>
}

/** How an attempt ended that did not complete. */
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
