import type { AssembledTranscript, TranscriptLeg } from '../assemble.js'

/** Facts about the recording; null where one isn't known. */
export interface SourceFacts {
  bucket: string | null
  key: string | null
  versionId: string | null
  etag: string | null
  bytes: number | null
  /** SHA-256 of the file in lower-case hex. */
  sha256: string | null
  container: string | null
  codec: string | null
  channels: number | null
  /** Samples per second before resampling. */
  sampleRate: number | null
  durationMs: number
  durationMethod: 'decoded' | 'header' | 'packets'
}

/** The engine and model that transcribed the recording. */
export interface TranscriptEngine {
  model: string
  revision: string | null
  serverVersion: string | null
  /** The model's transcription delay, in ms. */
  delayMs: number | null
  /** Multiple of real time at which audio was sent, or `max`. */
  pace: number | 'max' | null
  rotationPolicy: string | null
  /** BCP 47 language that was requested; null for none. */
  language: string | null
  isStandin: boolean
}

/** The contents of `transcript.json`. */
export interface TranscriptInput {
  jobId: string
  /** When the transcript was made, ISO 8601 in UTC. */
  createdAt: string
  source: SourceFacts
  engine: TranscriptEngine
  assembled: AssembledTranscript
  /** Audio per delta, in ms. */
  stepMs: number
  warnings: readonly string[]
  /** The document of metrics.json; null while it isn't known. */
  metrics: object | null
}

/** `transcript.json`; see `transcriptDocument`. */
export type TranscriptDocument = ReturnType<typeof transcriptDocument>

/**
 * The content of `transcript.json`, ready for JSON: snake_case, times in seconds to the
 * millisecond.
 *
 * A superset of OpenAI's `verbose_json` (`task`, `language`, `duration`, `text`, `segments[]` with
 * `id`, `start`, `end`, `text`; `words[]` with `word`, `start`, `end`). Its `seek`, `tokens`,
 * `temperature`, `avg_logprob`, `compression_ratio` and `no_speech_prob` describe Whisper's decoder
 * and have no meaning here; they are absent. Every other field that isn't known is null, never
 * absent.
 *
 * `timing.verified` is true when there are legs, and in every one the delta count, the server's
 * usage and the law of steps agree. `words[].step` counts deltas in the leg, `words[].group`
 * emission groups in the lane.
 *
 * `legs[]` are in order and never overlap: where two sessions transcribed the same segment, the
 * first leg ends and the second begins at the boundary between their texts. A word belongs to the
 * leg in which it ended, so it may begin before its leg does. Silence that was not sent is a gap
 * between legs. `deltas` counts those of the whole session, the overlap included; a session in
 * whose middle a hole was repaired is two legs, which share its deltas.
 *
 * `coverage.holes[]` is speech without text: `unresolved` ones, with the reason (`AuditedHole`),
 * and repaired ones (`rerun`).
 */
export function transcriptDocument(input: TranscriptInput) {
  const { assembled, engine } = input
  const legs = assembled.lanes.flatMap((lane) =>
    lane.legs.map((leg) => legDocument(leg, lane.channel)),
  )
  const isEstimated = legs.some((leg) => leg.timing === 'estimated')
  return {
    schema: 'nightscribe.transcript/1' as const,
    job_id: input.jobId,
    created_at: input.createdAt,
    task: 'transcribe' as const,
    language: engine.language,
    duration: seconds(assembled.durationMs),
    text: assembled.text,
    segments: segmentDocuments(assembled),
    words: wordDocuments(assembled),
    source: sourceDocument(input.source),
    engine: {
      model: engine.model,
      revision: engine.revision,
      server_version: engine.serverVersion,
      delay_ms: engine.delayMs,
      pace: engine.pace,
      rotation_policy: engine.rotationPolicy,
      language: engine.language,
      is_standin: engine.isStandin,
    },
    timing: {
      method: isEstimated ? ('estimated' as const) : ('token-step' as const),
      quantum_ms: input.stepMs,
      verified: legs.length > 0 && !isEstimated,
      offset_ms: 0,
    },
    coverage: coverageDocument(assembled),
    legs,
    lanes: assembled.lanes.map(({ channel, text, speechMs, transcribedMs }) => ({
      channel,
      text,
      speech_s: seconds(speechMs),
      transcribed_s: seconds(transcribedMs),
    })),
    warnings: [...input.warnings],
    metrics: input.metrics,
  }
}

/** One entry of `legs[]`, in `transcript.json` and in checkpoints. */
export function legDocument(leg: TranscriptLeg, channel: number | null) {
  return {
    index: leg.index,
    channel,
    start: seconds(leg.startMs),
    end: seconds(leg.endMs),
    cut: leg.cut,
    deltas: leg.deltas,
    timing: leg.timing,
    attempt: leg.attempt,
  }
}

function segmentDocuments(assembled: AssembledTranscript) {
  return assembled.segments.map(({ id, startMs, endMs, text, channel, leg, attempt }) => ({
    id,
    start: seconds(startMs),
    end: seconds(endMs),
    text,
    channel,
    leg,
    attempt,
  }))
}

function wordDocuments(assembled: AssembledTranscript) {
  return assembled.words.map((word) => ({
    word: word.text,
    start: seconds(word.startMs),
    end: seconds(word.endMs),
    segment_id: word.segmentId,
    step: word.step,
    group: word.group,
    channel: word.channel,
    interpolated: { ...word.interpolated },
  }))
}

function sourceDocument(source: SourceFacts) {
  return {
    bucket: source.bucket,
    key: source.key,
    version_id: source.versionId,
    etag: source.etag,
    size: source.bytes,
    sha256: source.sha256,
    container: source.container,
    codec: source.codec,
    channels: source.channels,
    sample_rate: source.sampleRate,
    duration_s: seconds(source.durationMs),
    duration_method: source.durationMethod,
  }
}

function coverageDocument({ coverage }: AssembledTranscript) {
  return {
    speech_s: seconds(coverage.speechMs),
    transcribed_s: seconds(coverage.transcribedMs),
    holes: coverage.holes.map(({ startMs, endMs, channel, action, reason }) => ({
      start: seconds(startMs),
      end: seconds(endMs),
      channel,
      action,
      reason,
    })),
  }
}

/** Seconds of a time in ms, rounded to whole ms. */
function seconds(timeMs: number): number {
  return Math.round(timeMs) / 1000
}
