import { JobMeter } from '../latency/job-meter.js'
import type { Attempt } from '../queue/index.js'
import { type AnalysisDocument, analysisDocument } from '../storage/documents/analysis-document.js'
import type { JobDocument } from '../storage/documents/job-document.js'
import { readJson } from '../storage/documents/stored-json.js'
import type { ObjectStore } from '../storage/index.js'
import { analysisKey, audioKey } from '../storage/keys.js'
import { asOwnWork, goneWork } from '../storage/own-work.js'
import { auditCoverage } from './audit/audit-coverage.js'
import { carryAgain } from './audit/carry-again.js'
import { CheckpointWriter } from './checkpoint/checkpoint-writer.js'
import { checkpointKeys } from './checkpoint/read-checkpoint.js'
import type { WorkPorts } from './index.js'
import { readJob } from './intake/analyse-recording.js'
import type { CarriedLane } from './legs/carried-leg.js'
import { nextFence } from './lifecycle/attempt-fence.js'
import { noteAdmitted } from './lifecycle/attempt-notes.js'
import { completedBy } from './lifecycle/card-of-job.js'
import { carryLanes, type LaneToCarry } from './replay/carry-lanes.js'
import { type LaneStart, startLanes } from './replay/lane-starts.js'
import { letIn } from './replay/let-in.js'
import { commitResult, readManifest } from './result/commit-result.js'
import { renderResult } from './result/render-result.js'
import type { Transcription } from './transcription.js'

/** Time in which the decoded audio of a finished job should be gone. */
const TIDY_TIMEOUT_MS = 30_000

/**
 * Second stage of a job, and what the product is for: waits for its sessions, replays every lane
 * into one, puts the text together and commits it. A job that has a manifest is done, whoever asks.
 */
export async function transcribeRecording(ports: WorkPorts, attempt: Attempt): Promise<void> {
  try {
    await transcribe(ports, attempt)
  } catch (error) {
    throw asOwnWork(error) // the source isn't read any more
  }
}

async function transcribe(ports: WorkPorts, attempt: Attempt): Promise<void> {
  const { jobId, signal } = attempt
  const { board, clock, store } = ports
  const standing = await readManifest(store, jobId, { signal })
  if (standing) {
    await board.update(jobId, completedBy(standing, await board.get(jobId)))
    await ports.sessions.leave(jobId, { signal })
    return
  }
  const job = await readJob(ports, jobId, signal)
  const analysis = await readAnalysis(ports, jobId, signal)
  const startedAtMs = clock.wallMs()
  const { lanes: starts, resumedFromMs } = await startLanes(ports, { jobId, analysis }, { signal })
  const askedMs = clock.monotonicMs()
  const lanes = await letIn(ports, { job, starts }, { signal })
  try {
    const admissionWaitMs = clock.monotonicMs() - askedMs
    // Drawn now, because a try that only waited is none.
    const fence = await nextFence(ports, jobId, { signal })
    const meter = new JobMeter(ports.notes)
    const work = { attempt, fence, job, analysis, meter, startedAtMs, resumedFromMs }
    const sessionsAtStart = ports.sessions.running
    await tellAdmitted(ports, work, { starts, lanes })
    await carry(ports, work, { starts, lanes }, { admissionWaitMs, sessionsAtStart })
  } finally {
    // Nothing stops the giving back of what others wait for; the ledger's store bounds its time.
    const never = () => ({ signal: new AbortController().signal })
    await Promise.allSettled(lanes.map(({ chain }) => chain.end(never())))
  }
}

/** Puts on the board what the attempt begins with. */
async function tellAdmitted(
  ports: WorkPorts,
  { attempt, fence, resumedFromMs }: Transcription,
  { starts, lanes }: { starts: readonly LaneStart[]; lanes: readonly LaneToCarry[] },
): Promise<void> {
  const { jobId } = attempt
  // By what lies in storage: a card that Redis lost and got again knows nothing of it.
  const safeAudioMs = starts.reduce((sum, { doneMs }) => sum + doneMs, 0)
  const engines = lanes.map(({ chain }) => ports.engines.engine(chain.engine))
  const isStandin = engines.some(({ description }) => description.isStandin)
  await ports.board.update(jobId, {
    ...{ fence, attempts: fence, status: 'admitted', error: null },
    checkpointedAudioMs: safeAudioMs,
    // Whose text is complete needs none any more.
    ...(engines.length > 0 ? { engineIsStandin: isStandin } : {}),
  })
  await noteAdmitted(ports.board, jobId, { fence, engines, safeAudioMs })
  const fromMs = resumedFromMs.at(-1)
  if (fromMs !== undefined) ports.notes.resumed(jobId, fromMs)
}

/** Time in which the last checkpoint of an attempt must be written: others wait for the job. */
const LAST_WRITE_MS = 5_000

/** Carries what is left and commits the result; where that fails, what there is is made safe. */
async function carry(
  ports: WorkPorts,
  work: Transcription,
  job: { starts: readonly LaneStart[]; lanes: readonly LaneToCarry[] },
  measured: { admissionWaitMs: number; sessionsAtStart: number },
): Promise<void> {
  const { attempt } = work
  const writer = checkpointWriter(ports, work, job.starts)
  try {
    await carryLanes(ports, work, { ...job, writer })
    const carried = job.starts.map(({ progress }) => progress.carried)
    const cuts = job.starts.map((start) => start.cuts)
    const { signal } = attempt
    const again = carryAgain(ports, work)
    const audited = await auditCoverage(ports, work, carried, { cuts, carry: again, signal })
    // A view: text that is complete doesn't wait for it, and isn't lost with it.
    await ports.board.update(attempt.jobId, { status: 'finalizing' }).catch(() => {})
    await commit(ports, work, audited, measured)
  } catch (error) {
    // So that whoever takes the job over has nothing to do again; without it that is a minute.
    try {
      if (await attempt.isOwned()) await writer.write(AbortSignal.timeout(LAST_WRITE_MS))
    } catch (failure) {
      ports.notes.checkpointFailed(attempt.jobId, failure)
    }
    throw error
  }
}

function checkpointWriter(
  ports: WorkPorts,
  { attempt, fence, resumedFromMs }: Transcription,
  starts: readonly LaneStart[],
): CheckpointWriter {
  const { store, clock, board, notes } = ports
  const { jobId } = attempt
  return new CheckpointWriter(
    {
      ...{ store, clock },
      onWritten: (checkpoint) => {
        notes.checkpointed(jobId, checkpoint)
        // A view: the text is safe, whether anybody sees it or not.
        board.update(jobId, { checkpointedAudioMs: checkpoint.audioMs }).catch(() => {})
      },
      onFailed: (error) => notes.checkpointFailed(jobId, error),
    },
    { attempt, fence, resumedFromMs, lanes: starts.map(({ progress }) => progress) },
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
  throw goneWork(key)
}

function manifestSource({ source: { bucket, key, version_id, etag } }: JobDocument) {
  return { bucket, key, version_id, etag }
}

/** What nobody needs once the manifest stands. */
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
  lanes: readonly CarriedLane[],
  measured: { admissionWaitMs: number; sessionsAtStart: number },
): Promise<void> {
  const { attempt, fence, job, analysis } = work
  const { jobId } = attempt
  const { store, board, clock } = ports
  const card = await board.get(jobId)
  const { files, warnings } = renderResult(ports, work, lanes, { ...measured, card })
  const { manifest } = await commitResult(store, attempt, {
    fence,
    source: manifestSource(job),
    files,
    warnings,
    completedAtMs: clock.wallMs(),
  })
  const tidy = { signal: AbortSignal.timeout(TIDY_TIMEOUT_MS) }
  // The job is done, whatever comes now: a cancel is too late, and leftovers are housekeeping.
  await removeWork(store, jobId, tidy).catch(() => {})
  await board.update(jobId, {
    status: 'completed',
    audioMsDone: analysis.duration_ms,
    warnings: manifest.warnings,
    error: null,
  })
}
