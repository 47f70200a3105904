import { unstopped } from '../kernel/abort.js'
import { JobMeter } from '../latency/job-meter.js'
import type { Attempt } from '../queue/index.js'
import { type AnalysisDocument, analysisDocument } from '../storage/documents/analysis-document.js'
import type { JobDocument } from '../storage/documents/job-document.js'
import { readJson } from '../storage/documents/stored-json.js'
import type { ObjectStore } from '../storage/index.js'
import { asStorageError, missingJobObject } from '../storage/job-object-error.js'
import { analysisKey, audioKey } from '../storage/keys.js'
import { auditCoverage } from './audit/audit-coverage.js'
import { rerunWindow } from './audit/rerun-window.js'
import { CheckpointWriter } from './checkpoint/checkpoint-writer.js'
import { checkpointKeys } from './checkpoint/read-checkpoint.js'
import type { WorkPorts } from './index.js'
import { readJob } from './intake/read-job.js'
import type { CompletedLane } from './legs/completed-leg.js'
import { nextFence } from './lifecycle/attempt-fence.js'
import { recordAdmission } from './lifecycle/attempt-history.js'
import { completedBy } from './lifecycle/record-of-job.js'
import { type LaneStart, startLanes } from './replay/lane-starts.js'
import { type LaneToReplay, replayLanes } from './replay/replay-lanes.js'
import { requestAdmission } from './replay/request-admission.js'
import { commitResult, readManifest } from './result/commit-result.js'
import { renderResult } from './result/render-result.js'
import type { Transcription } from './transcription.js'

/** Time limit, in ms, for removing the decoded audio and the checkpoints of a finished job. */
const TIDY_TIMEOUT_MS = 30_000

/**
 * Second stage of a job: waits for its sessions, replays every lane into them, assembles the text
 * and commits it. A job that has a manifest already is only marked as completed.
 */
export async function transcribeRecording(ports: WorkPorts, attempt: Attempt): Promise<void> {
  try {
    await transcribe(ports, attempt)
  } catch (error) {
    // This stage reads only objects that a worker wrote: one that is missing is no input error.
    throw asStorageError(error)
  }
}

async function transcribe(ports: WorkPorts, attempt: Attempt): Promise<void> {
  const { jobId, signal } = attempt
  const { jobStore, clock, store } = ports
  const existing = await readManifest(store, jobId, { signal })
  if (existing) {
    await jobStore.update(jobId, completedBy(existing, await jobStore.get(jobId, { signal })), {
      signal,
    })
    await ports.sessions.leave(jobId, { signal })
    return
  }
  const job = await readJob(store, jobId, { signal })
  const analysis = await readAnalysis(ports, jobId, signal)
  const startedAtMs = clock.wallMs()
  const start = await startLanes(ports, { jobId, analysis }, { signal })
  const { lanes: starts, resumedFromMs } = start
  const askedMs = clock.monotonicMs()
  const lanes = await requestAdmission(ports, { job, starts }, { signal })
  try {
    const admissionWaitMs = clock.monotonicMs() - askedMs
    // The fence is drawn after admission: an attempt that only waited for room is not counted.
    const fence = await nextFence(ports, jobId, { signal })
    // Redis may have lost the record; the checkpoint then has the number of the last attempt.
    const before = (await jobStore.get(jobId, { signal }))?.attempt ?? 0
    const attemptNumber = Math.max(before, start.attempt) + 1
    const meter = new JobMeter(ports.observer)
    const facts = { attempt, attemptNumber, fence, job, analysis }
    const work = { ...facts, meter, startedAtMs, resumedFromMs }
    const sessionsAtStart = ports.sessions.running
    await tellAdmitted(ports, work, { starts, lanes })
    await rerun(ports, work, { starts, lanes }, { admissionWaitMs, sessionsAtStart })
  } finally {
    // A stop does not interrupt the return of leases: other jobs wait for that room.
    await Promise.allSettled(lanes.map(({ chain }) => chain.end(unstopped())))
  }
}

/** Writes the start of the attempt into the job record: number, fence, engines, safe audio. */
async function tellAdmitted(
  ports: WorkPorts,
  { attempt, attemptNumber, fence, resumedFromMs }: Transcription,
  { starts, lanes }: { starts: readonly LaneStart[]; lanes: readonly LaneToReplay[] },
): Promise<void> {
  const { jobId } = attempt
  // Taken from the checkpoint in storage: a job record that Redis lost and that was written again
  // doesn't have it.
  const checkpointedAudioMs = starts.reduce((sum, { doneMs }) => sum + doneMs, 0)
  const engines = lanes.map(({ chain }) => ports.engines.engine(chain.engine))
  const isStandin = engines.some(({ description }) => description.isStandin)
  await ports.jobStore.update(
    jobId,
    {
      ...{ fence, attempt: attemptNumber, status: 'admitted', error: null },
      checkpointedAudioMs,
      // A job whose text is already complete runs on no engine: its record keeps what it says.
      ...(engines.length > 0 ? { engineIsStandin: isStandin } : {}),
    },
    attempt,
  )
  const admitted = { attempt: attemptNumber, engines, checkpointedAudioMs }
  await recordAdmission(ports.jobStore, jobId, admitted, attempt)
  const fromMs = resumedFromMs.at(-1)
  if (fromMs !== undefined) ports.observer.resumed(jobId, fromMs)
}

/** Time limit, in ms, for the last checkpoint of a failed attempt: the next worker waits for it. */
const LAST_WRITE_MS = 5_000

/** Replays what is left and commits the result. A failure writes a last checkpoint first. */
async function rerun(
  ports: WorkPorts,
  work: Transcription,
  job: { starts: readonly LaneStart[]; lanes: readonly LaneToReplay[] },
  measured: { admissionWaitMs: number; sessionsAtStart: number },
): Promise<void> {
  const { attempt } = work
  const writer = checkpointWriter(ports, work, job.starts)
  try {
    await replayLanes(ports, work, { ...job, writer })
    const completed = job.starts.map(({ progress }) => progress.completed)
    const cuts = job.starts.map((start) => start.cuts)
    const { signal } = attempt
    const again = rerunWindow(ports, work)
    const audited = await auditCoverage(ports, work, completed, { cuts, rerun: again, signal })
    // Only shown to people: an error of Redis here must not cost the text, which is complete.
    await ports.jobView.update(attempt.jobId, { status: 'finalizing' }, attempt).catch(() => {})
    await commit(ports, work, audited, measured)
  } catch (error) {
    // After it the next worker replays nothing twice; without it, up to a minute of audio.
    try {
      if (await attempt.isOwned()) await writer.write(AbortSignal.timeout(LAST_WRITE_MS))
    } catch (failure) {
      ports.observer.checkpointFailed(attempt.jobId, failure)
    }
    throw error
  }
}

function checkpointWriter(
  ports: WorkPorts,
  { attempt, attemptNumber, fence, resumedFromMs }: Transcription,
  starts: readonly LaneStart[],
): CheckpointWriter {
  const { store, clock, jobView, observer } = ports
  const { jobId } = attempt
  return new CheckpointWriter(
    {
      ...{ store, clock },
      onWritten: (checkpoint) => {
        observer.checkpointed(jobId, checkpoint)
        const changes = { checkpointedAudioMs: checkpoint.audioMs }
        // Only shown to people: the text is in storage, whether or not the record says so.
        jobView.update(jobId, changes, attempt).catch(() => {})
      },
      onFailed: (error) => observer.checkpointFailed(jobId, error),
    },
    {
      ...{ attempt, attemptNumber, fence, resumedFromMs },
      lanes: starts.map(({ progress }) => progress),
    },
  )
}

async function readAnalysis(
  ports: WorkPorts,
  jobId: string,
  signal: AbortSignal,
): Promise<AnalysisDocument> {
  const key = analysisKey(jobId)
  const analysis = await readJson(ports.store, key, analysisDocument, { signal })
  if (analysis) return analysis
  throw missingJobObject(key)
}

function manifestSource({ source: { bucket, key, version_id, etag } }: JobDocument) {
  return { bucket, key, version_id, etag }
}

/** Removes decoded audio and checkpoints, which are needed only until the manifest is stored. */
async function removeWork(
  store: ObjectStore,
  jobId: string,
  options: { signal: AbortSignal },
): Promise<void> {
  await store.delete(audioKey(jobId), options)
  for (const key of await checkpointKeys(store, jobId, options)) await store.delete(key, options)
}

async function commit(
  ports: WorkPorts,
  work: Transcription,
  lanes: readonly CompletedLane[],
  measured: { admissionWaitMs: number; sessionsAtStart: number },
): Promise<void> {
  const { attempt, attemptNumber, fence, job, analysis } = work
  const { jobId } = attempt
  const { store, jobStore, clock } = ports
  const record = await jobStore.get(jobId, attempt)
  const { files, warnings } = renderResult(ports, work, lanes, { ...measured, record })
  const { manifest } = await commitResult(store, attempt, {
    attemptNumber,
    fence,
    source: manifestSource(job),
    files,
    warnings,
    completedAtMs: clock.wallMs(),
  })
  const tidy = { signal: AbortSignal.timeout(TIDY_TIMEOUT_MS) }
  // The job is done once its manifest is stored: an error here must not fail it. Housekeeping
  // removes later what stays.
  await removeWork(store, jobId, tidy).catch(() => {})
  await jobStore.update(
    jobId,
    {
      status: 'completed',
      audioMsDone: analysis.duration_ms,
      warnings: manifest.warnings,
      error: null,
    },
    attempt,
  )
}
