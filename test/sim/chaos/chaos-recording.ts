import type { CutOption } from '../../../src/admission/legs/cut-option.js'
import { isoTime } from '../../../src/kernel/clock.js'
import type { MsRange } from '../../../src/kernel/ms-range.js'
import type { Random } from '../../../src/kernel/random.js'
import { STEP_MS, STEP_SAMPLES } from '../../../src/model/pcm.js'
import { type CutSettings, findCuts } from '../../../src/pipeline/replay/find-cuts.js'
import type { AnalysisDocument } from '../../../src/storage/documents/analysis-document.js'
import type { JobDocument } from '../../../src/storage/documents/job-document.js'
import { PackedRanges } from '../../../src/storage/documents/packed-ranges.js'
import { analysisKey, audioKey, jobKey, peaksKey } from '../../../src/storage/keys.js'
import { between, logBetween, pick } from '../random-night.js'
import type { MemoryObjectStore } from './memory-object-store.js'
import { WORD_FRAMES } from './plan-engine.js'

/** Between the ends of two words, at the least. */
const WORD_EVERY_FRAMES = 30
/** So far from a pause at least. */
const WORD_MARGIN_FRAMES = 2
const NEVER = new AbortController().signal

/** A recording of a chaos night, and the job that it is. */
export interface ChaosJob {
  jobId: string
  arrivalMs: number
  lanes: number
  pace: number
  frames: number
  pausesMs: readonly MsRange[]
  /** Ends of its words, the same in all lanes. */
  words: readonly number[]
  cuts: readonly CutOption[]
  fromFrame: number
  document: JobDocument
  /** Audio of all lanes at its pace. */
  replayMs: number
}

/** What recordings are like. */
export interface RecordingWish {
  countMax: number
  longestS: number
  /** Of all lanes of all of them, about. */
  hoursMax: number
  spreadMs: number
}

/** Recordings of all kinds, by chance. */
export function randomChaosJobs(
  random: Random,
  wish: RecordingWish,
  settings: CutSettings,
): ChaosJob[] {
  const count = Math.round(logBetween(random, 1, wish.countMax))
  let leftS = wish.hoursMax * 3_600
  const jobs: ChaosJob[] = []
  for (let at = 0; at < count && leftS > 0; at += 1) {
    const job = randomJob(random, at, wish, settings)
    leftS -= (job.frames * job.lanes * STEP_MS) / 1_000
    jobs.push(job)
  }
  return jobs
}

function randomJob(
  random: Random,
  at: number,
  { longestS, spreadMs }: RecordingWish,
  settings: CutSettings,
): ChaosJob {
  const frames = Math.round(logBetween(random, 10, longestS) * 12.5)
  const pauseEveryS = random.uniform() < 0.1 ? 300 : 3 + random.uniform() * 20
  const pausesMs = randomPauses(random, { durationMs: frames * STEP_MS, pauseEveryS })
  const pace = pick(random, [1, 1, 1, 1, 1.5, 0])
  const lanes = random.uniform() < 0.8 ? 1 : between(random, 2, 3)
  const arrivalMs = random.uniform() * spreadMs
  const jobId = `job-${at}`
  const way = findCuts(
    { pausesMs, peaks: new Uint8Array(), samples: frames * STEP_SAMPLES },
    settings,
  )
  return {
    ...{ jobId, arrivalMs, lanes, pace, frames, pausesMs },
    words: wordsBetween(pausesMs, frames),
    cuts: way.cuts,
    fromFrame: way.fromFrame,
    document: jobDocumentOf({ jobId, arrivalMs, pace, lanes, priority: between(random, 0, 2) }),
    replayMs: (way.frames * lanes * STEP_MS) / Math.max(1, pace),
  }
}

function randomPauses(
  random: Random,
  { durationMs, pauseEveryS }: { durationMs: number; pauseEveryS: number },
): MsRange[] {
  const pauses: MsRange[] = []
  for (let atMs = 0; ; ) {
    atMs += 1_000 - Math.log(1 - random.uniform()) * pauseEveryS * 1_000
    const isLong = random.uniform() < 0.02
    const endMs = atMs + (isLong ? 20_000 + random.uniform() * 40_000 : between(random, 300, 1_500))
    if (endMs >= durationMs) return pauses
    pauses.push([Math.round(atMs), Math.round(endMs)])
    atMs = endMs
  }
}

function wordsBetween(pausesMs: readonly MsRange[], frames: number): number[] {
  const words: number[] = []
  let at = 0
  for (const [fromMs, untilMs] of [...pausesMs, [frames * STEP_MS, frames * STEP_MS] as const]) {
    const last = Math.floor(fromMs / STEP_MS) - WORD_MARGIN_FRAMES
    const first = at + WORD_FRAMES + WORD_MARGIN_FRAMES
    for (let end = first; end <= last; end += WORD_EVERY_FRAMES) words.push(end)
    at = Math.ceil(untilMs / STEP_MS)
  }
  return words
}

function jobDocumentOf(job: {
  jobId: string
  arrivalMs: number
  pace: number
  lanes: number
  priority: number
}): JobDocument {
  const { jobId, arrivalMs, pace, lanes, priority } = job
  return {
    tenant: 'default',
    schema: 'nightscribe.job/1',
    job_id: jobId,
    created_at: isoTime(arrivalMs),
    name: `${jobId}.wav`,
    source: { bucket: 'memory', key: jobId, version_id: null, etag: 'source', bytes: 1 },
    options: {
      channels: lanes > 1 ? 'split' : 'mix',
      pace: pace === 0 ? 'max' : pace,
      priority,
      deadline_at: null,
    },
  }
}

/** Puts a recording into the storage as its analysis leaves it. */
export async function putRecording(objects: MemoryObjectStore, job: ChaosJob): Promise<void> {
  const { jobId, lanes, frames, document } = job
  const put = async (key: string, value: object) => {
    await objects.put(key, Buffer.from(JSON.stringify(value)), { signal: NEVER })
  }
  const speech = { method: 'energy' as const, segments_ms: new PackedRanges([]), speech_ms: 0 }
  const analysis: AnalysisDocument = {
    schema: 'nightscribe.analysis/1',
    duration_ms: frames * STEP_MS,
    duration_method: 'decoded',
    samples: frames * STEP_SAMPLES,
    decode_ms: 1,
    ...{ container: 'wav', codec: 'pcm_s16le', sample_rate: 16_000, channels: lanes },
    sha256: '0',
    audio_key: audioKey(jobId),
    lanes: Array.from({ length: lanes }, (_, lane) => {
      const channel = lanes > 1 ? lane : null
      const peaks = { per_second: 20, key: peaksKey(jobId, channel) }
      const pauses = new PackedRanges(job.pausesMs)
      return { channel, level_dbfs: null, speech, pauses_ms: pauses, peaks }
    }),
    warnings: [],
  }
  await put(jobKey(jobId), document)
  await put(analysisKey(jobId), analysis)
  await objects.put(audioKey(jobId), new Uint8Array(1), { signal: NEVER })
}
