import { isoTime } from '../kernel/clock.js'
import { metricsDocument } from '../latency/job-metrics.js'
import { STEP_MS, samplesToMs } from '../media/pcm.js'
import { DELAY_STEPS } from '../media/step-law.js'
import type { JobCard } from '../queue/index.js'
import { assembleTranscript, type TranscriptLane } from '../transcript/assemble.js'
import { transcriptFiles } from '../transcript/formats.js'
import {
  type EngineFacts,
  type SourceFacts,
  transcriptDocument,
} from '../transcript/transcript-document.js'
import type { CarriedLane } from './carry-lanes.js'
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
    ...(carried.some(({ result }) => !result.verified) ? [WARNING_TIMING] : []),
    ...(assembled.coverage.holes.length > 0 ? [WARNING_HOLES] : []),
  ]
  const metrics = metricsOf(work, carried, measures)
  const document = transcriptDocument({
    jobId: work.attempt.jobId,
    createdAt: isoTime(ports.clock.wallMs()),
    source: sourceFacts(work),
    engine: engineFacts(work, carried),
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

function transcriptLane(work: Transcription, carried: CarriedLane, index: number): TranscriptLane {
  const { channel, result } = carried
  return {
    channel,
    legs: [
      {
        index: 0,
        startMs: 0,
        endMs: samplesToMs(result.samples),
        cut: 'end',
        deltas: result.deltas,
        timing: result.verified ? 'token-step' : 'estimated',
        attempt: work.fence,
      },
    ],
    groups: result.groups,
    speechMs: work.analysis.lanes[index]?.speech.segments_ms ?? [],
  }
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

function engineFacts({ job }: Transcription, carried: readonly CarriedLane[]): EngineFacts {
  const first = carried[0]?.engine.description
  return {
    model: first?.model ?? '',
    revision: null,
    serverVersion: first?.version ?? null,
    delayMs: DELAY_STEPS * STEP_MS,
    pace: job.options.pace,
    rotationPolicy: 'none',
    language: null,
    isStandin: isStandin(carried),
  }
}

function isStandin(carried: readonly CarriedLane[]): boolean {
  return carried.some(({ engine }) => engine.description.isStandin)
}

function metricsOf(work: Transcription, carried: readonly CarriedLane[], measures: JobMeasures) {
  const { analysis, job, meter, attempt, startedAtMs } = work
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
    kvBlocks: { grantedMax: null, heldMax: null },
    sessionsRunning: { atStart: measures.sessionsAtStart, max: null },
    preemptionsSeen: null,
    gpuSecondsShare: null,
    cost: null,
    engineIsStandin: isStandin(carried),
  })
}
