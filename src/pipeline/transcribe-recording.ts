import type { WaitReason } from '../admission/decide.js'
import type { LaneChain } from '../admission/lane-chain.js'
import { CapacityError, InputError } from '../kernel/errors.js'
import { JobMeter } from '../latency/job-meter.js'
import { STEP_MS } from '../media/pcm.js'
import type { Attempt } from '../queue/index.js'
import { type AnalysisDocument, analysisDocument } from '../storage/analysis-document.js'
import type { JobDocument } from '../storage/job-document.js'
import { analysisKey, audioKey } from '../storage/keys.js'
import { readJson } from '../storage/stored-json.js'
import { readJob } from './analyse-recording.js'
import { nextFence } from './attempt-fence.js'
import type { CarriedLane } from './carry-lane.js'
import { carryLanes } from './carry-lanes.js'
import { commitResult, readManifest } from './commit-result.js'
import type { WorkPorts } from './index.js'
import { laneCuts } from './lane-cuts.js'
import { renderResult } from './render-result.js'
import type { Transcription } from './transcription.js'

/** Time in which the decoded audio of a finished job should be gone. */
const TIDY_TIMEOUT_MS = 30_000

/**
 * Second stage of a job, and what the product is for: waits for its sessions, replays every lane
 * into one, puts the text together and commits it. A job that has a manifest is done, whoever asks.
 */
export async function transcribeRecording(ports: WorkPorts, attempt: Attempt): Promise<void> {
  const { jobId, signal } = attempt
  const { board, clock, store } = ports
  const standing = await readManifest(store, jobId, { signal })
  if (standing) {
    await board.update(jobId, { status: 'completed', warnings: standing.warnings })
    await ports.sessions.leave(jobId, { signal })
    return
  }
  const job = await readJob(ports, jobId, signal)
  const analysis = await readAnalysis(ports, jobId, signal)
  const startedAtMs = clock.wallMs()
  const askedMs = clock.monotonicMs()
  const chains = await letIn(ports, { job, analysis }, signal)
  try {
    const admissionWaitMs = clock.monotonicMs() - askedMs
    // Drawn now, because a try that only waited is none.
    const fence = await nextFence(ports, jobId, { signal })
    const work = { attempt, fence, job, analysis, meter: new JobMeter(), startedAtMs }
    const engines = chains.map(({ engine }) => ports.engines.engine(engine))
    const engineIsStandin = engines.some(({ description }) => description.isStandin)
    const sessionsAtStart = ports.sessions.running
    await board.update(jobId, {
      ...{ fence, attempts: fence, status: 'admitted', engineIsStandin, error: null },
    })
    const lanes = await carryLanes(ports, work, chains)
    await board.update(jobId, { status: 'finalizing' })
    await commit(ports, work, lanes, { admissionWaitMs, sessionsAtStart })
  } finally {
    await Promise.allSettled(chains.map((chain) => chain.end({ signal: NEVER })))
  }
}

/** Nothing stops the giving back of what others wait for; the ledger's store bounds its time. */
const NEVER = new AbortController().signal

/**
 * Asks for the sessions of all lanes.
 * @throws CapacityError when the job has to wait: it stands in line then, and holds nothing else;
 *   InputError when it can never fit
 */
async function letIn(
  ports: WorkPorts,
  { job, analysis }: { job: JobDocument; analysis: AnalysisDocument },
  signal: AbortSignal,
): Promise<LaneChain[]> {
  const pace = job.options.pace === 'max' ? 0 : job.options.pace
  const lanes = await Promise.all(
    analysis.lanes.map(async (lane) => {
      const map = {
        pausesMs: lane.pauses_ms,
        peaks: await readPeaks(ports, lane.peaks.key, signal),
        samples: analysis.samples,
      }
      const { fromFrame, cuts, frames } = laneCuts(map, ports.limits.cuts)
      return { pace, fromFrame, cuts, remainingMs: (frames * STEP_MS) / Math.max(1, pace) }
    }),
  )
  const { priority, deadline_at: deadlineAt } = job.options
  const admission = await ports.sessions.admit(
    {
      ...{ jobId: job.job_id, name: job.name, priority, lanes, live: false },
      deadlineMs: deadlineAt === null ? null : Date.parse(deadlineAt),
    },
    { signal },
  )
  if (admission.kind === 'admitted') return admission.lanes
  const { place, reason, expectedStartMs, retryAfterMs } = admission
  throw new CapacityError('engine_overloaded', WAITING_FOR[reason], {
    retryAfterMs,
    place,
    expectedStartAtMs: expectedStartMs,
  })
}

const WAITING_FOR: Readonly<Record<WaitReason, string>> = {
  turn: 'Other recordings are before it.',
  lanes: 'As many recordings run as may at a time.',
  parked: 'Recordings that have begun wait for room themselves.',
  kv: "The engine's KV cache has no room for it yet.",
  'step-time': "The engine's steps would take too long with one more session.",
  engines: 'No engine is up.',
}

/** The waveform of a lane; empty where it is gone: it only makes cuts in unbroken talk better. */
async function readPeaks(ports: WorkPorts, key: string, signal: AbortSignal): Promise<Uint8Array> {
  try {
    const { body } = await ports.store.get(key, { signal })
    const chunks: Uint8Array[] = []
    for await (const chunk of body) chunks.push(chunk)
    return Buffer.concat(chunks)
  } catch (error) {
    if (error instanceof InputError) return new Uint8Array(0)
    throw error
  }
}

async function readAnalysis(
  ports: WorkPorts,
  jobId: string,
  signal: AbortSignal,
): Promise<AnalysisDocument> {
  const key = analysisKey(jobId)
  const analysis = await readJson(ports.store, key, analysisDocument, { signal })
  if (analysis) return analysis
  throw new InputError('job_not_found', `${key} is gone; submit the recording again.`)
}

function manifestSource({ source: { bucket, key, version_id, etag } }: JobDocument) {
  return { bucket, key, version_id, etag }
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
  await store.delete(audioKey(jobId), tidy).catch(() => {})
  await board.update(jobId, {
    status: 'completed',
    audioMsDone: analysis.duration_ms,
    warnings: manifest.warnings,
    error: null,
  })
}
