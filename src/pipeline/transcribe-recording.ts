import { InputError, UpstreamError } from '../kernel/errors.js'
import { JobMeter } from '../latency/job-meter.js'
import { STEP_MS } from '../media/pcm.js'
import type { Attempt } from '../queue/index.js'
import { type AnalysisDocument, analysisDocument } from '../storage/analysis-document.js'
import type { JobDocument } from '../storage/job-document.js'
import { analysisKey, audioKey } from '../storage/keys.js'
import { readJson } from '../storage/stored-json.js'
import { readJob } from './analyse-recording.js'
import { nextFence } from './attempt-fence.js'
import { type CarriedLane, carryLanes } from './carry-lanes.js'
import { commitResult, readManifest } from './commit-result.js'
import type { WorkPorts } from './index.js'
import { renderResult } from './render-result.js'
import type { Transcription } from './transcription.js'

/** Share of an engine's context that a session may fill: it is never to reach the end. */
const CONTEXT_SHARE_MAX = 0.8

/** Time in which the decoded audio of a finished job should be gone. */
const TIDY_TIMEOUT_MS = 30_000

/**
 * Second stage of a job, and what the product is for: waits for its sessions, replays every lane
 * into one, puts the text together and commits it. A job that has a manifest is done, whoever asks.
 */
export async function transcribeRecording(ports: WorkPorts, attempt: Attempt): Promise<void> {
  const { jobId, signal } = attempt
  const { board, clock, gate, store } = ports
  const standing = await readManifest(store, jobId, { signal })
  if (standing) {
    await board.update(jobId, { status: 'completed', warnings: standing.warnings })
    return
  }
  const job = await readJob(ports, jobId, signal)
  const analysis = await readAnalysis(ports, jobId, signal)
  const startedAtMs = clock.wallMs()
  const fence = await nextFence(ports, jobId, { signal })
  await board.update(jobId, { fence, attempts: fence })
  refuseTooLong(ports, job, analysis)
  const work = { attempt, fence, job, analysis, meter: new JobMeter(), startedAtMs }
  const askedMs = clock.monotonicMs()
  using lease = await gate.acquire({ jobId, sessions: analysis.lanes.length }, { signal })
  const admissionWaitMs = clock.monotonicMs() - askedMs
  const sessionsAtStart = gate.running
  const engines = lease.engines.map((index) => engineAt(ports, index))
  const engineIsStandin = engines.some(({ description }) => description.isStandin)
  await board.update(jobId, { status: 'admitted', engineIsStandin, error: null })
  const lanes = await carryLanes(ports, work, engines)
  lease[Symbol.dispose]()
  await board.update(jobId, { status: 'finalizing' })
  await commit(ports, work, lanes, { admissionWaitMs, sessionsAtStart })
}

function engineAt(ports: WorkPorts, index: number) {
  const engine = ports.engines[index]
  if (engine) return engine
  throw new UpstreamError('engine_unavailable', `There is no engine number ${index}.`)
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

/**
 * One session carries the whole recording, so it must fit the ceiling and every engine's context.
 */
function refuseTooLong(ports: WorkPorts, job: JobDocument, analysis: AnalysisDocument): void {
  const { legCeilingMs } = ports.limits
  const contexts = ports.engines.flatMap(({ description }) => description.maxModelLen ?? [])
  const contextMs = Math.min(...contexts) * CONTEXT_SHARE_MAX * STEP_MS
  const longestMs = Math.min(legCeilingMs, contextMs)
  if (analysis.duration_ms <= longestMs) return
  const seconds = (durationMs: number) => `${Math.round(durationMs / 1000)} s`
  const limit =
    contextMs < legCeilingMs
      ? `80 % of the engine's context (its --max-model-len)`
      : 'the setting legs.ceilingMs'
  throw new InputError(
    'media_too_long',
    `${job.name} is ${seconds(analysis.duration_ms)} long, and one session carries ${seconds(longestMs)} at most: ${limit}. Split the recording, or raise that limit.`,
    { facts: { durationMs: analysis.duration_ms, longestMs } },
  )
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
