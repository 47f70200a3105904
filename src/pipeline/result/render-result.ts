import { isoTime } from '../../kernel/clock.js'
import { metricsDocument } from '../../latency/job-metrics.js'
import { STEP_MS } from '../../model/pcm.js'
import { MODEL_DELAY_MS } from '../../model/step-law.js'
import type { JobRecord } from '../../queue/index.js'
import { assembleTranscript } from '../../transcript/assemble.js'
import { transcriptFiles } from '../../transcript/formats/formats.js'
import {
  type SourceFacts,
  type TranscriptEngine,
  transcriptDocument,
} from '../../transcript/formats/transcript-document.js'
import type { WorkPorts } from '../index.js'
import type { CompletedLane, CompletedLeg } from '../legs/completed-leg.js'
import { transcriptLane } from '../legs/transcript-lane.js'
import type { Transcription } from '../transcription.js'
import type { ResultFile } from './commit-result.js'

/** Times of words are estimates: count of deltas, usage figure and step law disagree. */
const WARNING_TIMING = 'timing_estimated'
/** There is speech without text; `coverage.holes` of the transcript says where. */
const WARNING_HOLES = 'coverage_holes'

/** Measurements of a job outside its sessions, in ms and counts. */
export interface JobMeasures {
  admissionWaitMs: number
  sessionsAtStart: number
  record: JobRecord | null
}

/** All files of a result, in the order in which they are stored, and its warnings. Pure. */
export function renderResult(
  ports: WorkPorts,
  work: Transcription,
  completed: readonly CompletedLane[],
  measures: JobMeasures,
): { files: ResultFile[]; warnings: string[] } {
  const { subtitles, coverage } = ports.limits
  const lanes = completed.map((lane, index) => transcriptLane(work.analysis, lane, index))
  const durationMs = work.analysis.duration_ms
  const { holeMinMs } = coverage
  const assembled = assembleTranscript({
    ...{ lanes, durationMs, stepMs: STEP_MS, subtitles, holeMinMs },
  })
  const warnings = [
    ...work.analysis.warnings,
    ...(legsOf(completed).some(({ verified }) => !verified) ? [WARNING_TIMING] : []),
    ...(assembled.coverage.holes.some(({ action }) => action === 'unresolved')
      ? [WARNING_HOLES]
      : []),
  ]
  const metrics = metricsOf(ports, work, completed, measures)
  const document = transcriptDocument({
    jobId: work.attempt.jobId,
    createdAt: isoTime(ports.clock.wallMs()),
    source: sourceFacts(work),
    engine: engineFacts(ports, work, completed),
    assembled,
    stepMs: STEP_MS,
    warnings,
    metrics,
  })
  const texts = transcriptFiles(assembled, subtitles)
  const files = [
    jsonFile('transcript.json', document),
    ...texts.map(({ name, contentType, text }) => ({ name, contentType, body: Buffer.from(text) })),
    jsonFile('metrics.json', metrics),
  ]
  return { files, warnings }
}

function jsonFile(name: ResultFile['name'], document: object): ResultFile {
  const body = Buffer.from(`${JSON.stringify(document)}\n`)
  return { name, contentType: 'application/json', body }
}

/** All legs that ran on engines, those of reruns too. */
function legsOf(completed: readonly CompletedLane[]): CompletedLeg[] {
  return completed.flatMap(({ legs, reruns = [] }) => [
    ...legs,
    ...reruns.flatMap((run) => run.legs),
  ])
}

function sourceFacts({ job, analysis }: Transcription): SourceFacts {
  return {
    bucket: job.source.bucket,
    key: job.source.key,
    versionId: job.source.version_id,
    etag: job.source.etag,
    bytes: job.source.bytes,
    sha256: analysis.sha256,
    container: analysis.container,
    codec: analysis.codec,
    channels: analysis.channels,
    sampleRate: analysis.sample_rate,
    durationMs: analysis.duration_ms,
    durationMethod: analysis.duration_method,
  }
}

function engineFacts(
  ports: WorkPorts,
  { job }: Transcription,
  completed: readonly CompletedLane[],
): TranscriptEngine {
  const first = legsOf(completed)[0]?.engine
  return {
    model: first?.model ?? '',
    revision: null,
    serverVersion: first?.version ?? null,
    delayMs: MODEL_DELAY_MS,
    pace: job.options.pace,
    rotationPolicy: ports.limits.rotationPolicy,
    language: null,
    isStandin: isStandin(completed),
  }
}

function isStandin(completed: readonly CompletedLane[]): boolean {
  return legsOf(completed).some(({ engine }) => engine.isStandin)
}

function metricsOf(
  ports: WorkPorts,
  work: Transcription,
  completed: readonly CompletedLane[],
  measures: JobMeasures,
) {
  const { analysis, job, meter, attempt, startedAtMs } = work
  const { pricePerHour } = ports.limits
  // The price of an engine's time is shared by all lanes that it runs.
  const gpuSecondsShare = legsOf(completed).reduce(
    (sum, { heldMs, lanesRunning }) => sum + heldMs / 1000 / Math.max(1, lanesRunning),
    0,
  )
  const reached = measures.record?.reachedAtMs ?? {}
  const waitedMs = reached.queued === undefined ? null : Math.max(0, startedAtMs - reached.queued)
  const probedMs =
    reached.queued === undefined || reached.probing === undefined
      ? null
      : reached.queued - reached.probing
  return metricsDocument({
    jobId: attempt.jobId,
    audioMs: analysis.duration_ms,
    pace: job.options.pace,
    queueWaitMs: waitedMs,
    // There is no separate download: ffmpeg reads the object while it decodes.
    downloadMs: null,
    analysisMs: probedMs,
    decodeMs: analysis.decode_ms,
    admissionWaitMs: measures.admissionWaitMs,
    resumedFromMs: work.resumedFromMs,
    isResumed: legsOf(completed).some(({ attempt }) => attempt !== work.attemptNumber),
    figures: meter.figures(),
    kvBlocks: {
      grantedMax: sumOfMaxima(completed, ({ kvBlocks }) => kvBlocks.granted),
      heldMax: sumOfMaxima(completed, ({ kvBlocks }) => kvBlocks.held),
    },
    sessionsRunning: {
      atStart: measures.sessionsAtStart,
      max: Math.max(...legsOf(completed).map(({ lanesRunning }) => lanesRunning)),
    },
    preemptionsSeen: null, // streaming sessions are never preempted
    gpuSecondsShare,
    cost: pricePerHour === null ? null : (gpuSecondsShare / 3600) * pricePerHour,
    engineIsStandin: isStandin(completed),
  })
}

/** Upper bound of what all lanes had at one time: the sum of each lane's maximum. */
function sumOfMaxima(
  completed: readonly CompletedLane[],
  of: (leg: CompletedLeg) => number,
): number {
  return completed.reduce((sum, lane) => sum + Math.max(0, ...legsOf([lane]).map(of)), 0)
}
