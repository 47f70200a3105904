import { isoTime } from '../kernel/clock.js'
import { metricsDocument } from '../latency/job-metrics.js'
import { STEP_MS, samplesToMs } from '../media/pcm.js'
import { DELAY_STEPS } from '../media/step-law.js'
import type { JobCard } from '../queue/index.js'
import {
  assembleTranscript,
  type TranscriptLane,
  type TranscriptLeg,
} from '../transcript/assemble.js'
import { transcriptFiles } from '../transcript/formats.js'
import {
  type EngineFacts,
  type SourceFacts,
  transcriptDocument,
} from '../transcript/transcript-document.js'
import type { CarriedLane, CarriedLegResult } from './carry-lane.js'
import type { ResultFile } from './commit-result.js'
import type { WorkPorts } from './index.js'
import type { Transcription } from './transcription.js'

/** Text came back, but count of deltas, usage and the law of steps disagree. */
const WARNING_TIMING = 'timing_estimated'
/** Speech without text: a place to listen to. */
const WARNING_HOLES = 'coverage_holes'

/** What the job measured outside its sessions. */
export interface JobMeasures {
  admissionWaitMs: number
  sessionsAtStart: number
  card: JobCard | null
}

/**
 * All files of a result, in the order in which they are stored, and what is to be warned of. Pure.
 */
export function renderResult(
  ports: WorkPorts,
  work: Transcription,
  carried: readonly CarriedLane[],
  measures: JobMeasures,
): { files: ResultFile[]; warnings: string[] } {
  const { subtitles } = ports.limits
  const lanes = carried.map((lane, index) => transcriptLane(work, lane, index))
  const durationMs = work.analysis.duration_ms
  const assembled = assembleTranscript({ lanes, durationMs, stepMs: STEP_MS, subtitles })
  const warnings = [
    ...work.analysis.warnings,
    ...(legsOf(carried).some(({ result }) => !result.verified) ? [WARNING_TIMING] : []),
    ...(assembled.coverage.holes.length > 0 ? [WARNING_HOLES] : []),
  ]
  const metrics = metricsOf(ports, work, carried, measures)
  const document = transcriptDocument({
    jobId: work.attempt.jobId,
    createdAt: isoTime(ports.clock.wallMs()),
    source: sourceFacts(work),
    engine: engineFacts(ports, work, carried),
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

function jsonFile(name: string, document: object): ResultFile {
  const body = Buffer.from(`${JSON.stringify(document)}\n`)
  return { name, contentType: 'application/json', body }
}

/** The legs as they were sent; where they overlap the transcript decides who said what. */
function transcriptLane(work: Transcription, carried: CarriedLane, index: number): TranscriptLane {
  const { samples, lanes } = work.analysis
  const legs = carried.legs.map(({ stretch, result }, at): TranscriptLeg => {
    const startMs = stretch.fromFrame * STEP_MS
    return {
      index: at,
      startMs,
      endMs: Math.min(startMs + samplesToMs(result.samples), samplesToMs(samples)),
      // A silence that is left out is a pause to the reader.
      cut: stretch.cut === 'skip' ? 'pause' : stretch.cut,
      deltas: result.deltas,
      timing: result.verified ? 'token-step' : 'estimated',
      attempt: work.fence,
    }
  })
  return {
    channel: carried.channel,
    legs,
    // A leg that was carried again has another number in its sessions than in the result.
    groups: carried.legs.flatMap(({ result }, leg) =>
      result.groups.map((each) => ({ ...each, leg })),
    ),
    speechMs: lanes[index]?.speech.segments_ms ?? [],
  }
}

function legsOf(carried: readonly CarriedLane[]): CarriedLegResult[] {
  return carried.flatMap(({ legs }) => legs)
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
  carried: readonly CarriedLane[],
): EngineFacts {
  const first = legsOf(carried)[0]?.engine.description
  return {
    model: first?.model ?? '',
    revision: null,
    serverVersion: first?.version ?? null,
    delayMs: DELAY_STEPS * STEP_MS,
    pace: job.options.pace,
    rotationPolicy: ports.limits.rotationPolicy,
    language: null,
    isStandin: isStandin(carried),
  }
}

function isStandin(carried: readonly CarriedLane[]): boolean {
  return legsOf(carried).some(({ engine }) => engine.description.isStandin)
}

function metricsOf(
  ports: WorkPorts,
  work: Transcription,
  carried: readonly CarriedLane[],
  measures: JobMeasures,
) {
  const { analysis, job, meter, attempt, startedAtMs } = work
  const { pricePerHour } = ports.limits
  // An engine's time is shared by all lanes that it carries.
  const gpuSecondsShare = legsOf(carried).reduce(
    (sum, { heldMs, lanesRunning }) => sum + heldMs / 1000 / Math.max(1, lanesRunning),
    0,
  )
  const reached = measures.card?.reachedAtMs ?? {}
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
    downloadMs: null, // ffmpeg reads the object while it decodes: there is no download apart
    analysisMs: probedMs,
    decodeMs: analysis.decode_ms,
    admissionWaitMs: measures.admissionWaitMs,
    resumedFromMs: [],
    isResumed: false,
    figures: meter.figures(),
    kvBlocks: {
      grantedMax: sumOfMaxima(carried, ({ kvBlocks }) => kvBlocks.granted),
      heldMax: sumOfMaxima(carried, ({ kvBlocks }) => kvBlocks.held),
    },
    sessionsRunning: {
      atStart: measures.sessionsAtStart,
      max: Math.max(...legsOf(carried).map(({ lanesRunning }) => lanesRunning)),
    },
    preemptionsSeen: null, // streaming sessions are never preempted
    gpuSecondsShare,
    cost: pricePerHour === null ? null : (gpuSecondsShare / 3600) * pricePerHour,
    engineIsStandin: isStandin(carried),
  })
}

/** Of all lanes at a time, at the most. */
function sumOfMaxima(
  carried: readonly CarriedLane[],
  of: (leg: CarriedLegResult) => number,
): number {
  return carried.reduce((sum, { legs }) => sum + Math.max(0, ...legs.map(of)), 0)
}
