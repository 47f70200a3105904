import { execFile } from 'node:child_process'
import { access, copyFile, link, mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { Queue } from 'bullmq'
import type { RunningChild } from '../../src/cli/stack/child-process.js'
import { CleanupStack } from '../../src/kernel/cleanup-stack.js'
import { systemClock } from '../../src/kernel/clock.js'
import { jobIdOf } from '../../src/pipeline/intake/job-id.js'
import { sourceAddress } from '../../src/pipeline/intake/source-address.js'
import { submitRecording } from '../../src/pipeline/intake/submit-recording.js'
import { analysisDocument } from '../../src/storage/documents/analysis-document.js'
import { readJson, writeJson } from '../../src/storage/documents/stored-json.js'
import { analysisKey, audioKey, peaksKey } from '../../src/storage/keys.js'
import { phrases, toneRecording } from '../fakes/tone-recording.js'
import { cpuSeconds, reportHead, residentBytes, tenths, writeReport } from './bench-report.js'
import { type BenchStack, startBenchStack, untilCards } from './bench-stack.js'

/**
 * Memory of a worker process that replays recordings of two hours at pace 1, and beside it of one
 * that does the same with short ones, which last just longer than the measurement. Each has a Redis
 * and a stand-in of its own. Resident bytes go up and down by a sixth with the garbage collector;
 * so in a tenth of the time from minute 5 (a sixth of shorter runs) on, and in the last tenth, the
 * workers collect their garbage again and again, with the holes in the heap, and `kept` is the
 * median of what is resident then. The medians of all samples there stand beside it.
 *
 *   npm run bench:memory -- [--sessions 100] [--minutes 30] [--recording-minutes 120]
 *
 * Recordings are made once and kept in .nightscribe/bench; each is analysed once, and all jobs of a
 * worker read that one file. The exit code is 1 when what a worker keeps grows by 5 % or more in
 * between, when the long recordings keep 10 % more than the short ones in the end, or when not all
 * sessions have run.
 */
const GROWTH_MAX = 0.05
const LENGTH_GROWTH_MAX = 0.1
const FROM_MINUTE = 5
/** How much longer than the measurement the short recordings are, for their start and slips. */
const SPARE_MINUTES = 5

const EVERY_MS = 400
const PHRASE_WORDS = 15
const PHRASE_MS = PHRASE_WORDS * EVERY_MS + 1_000
/** What is made, and repeated to the length that is wanted. */
const PART_MINUTES = 10
const SAMPLE_MS = 5_000
/** Garbage is collected for so many samples in each of the two windows at most. */
const COLLECTIONS_MAX = 15
/** What the system gets back a moment after a collection. */
const SETTLE_MS = 1_000
const BENCH_DIR = join('.nightscribe', 'bench')

const { values: flags } = parseArgs({
  options: {
    sessions: { type: 'string', default: '100' },
    minutes: { type: 'string', default: '30' },
    'recording-minutes': { type: 'string', default: '120' },
    blocks: { type: 'string', default: '1729' },
  },
})
const sessions = Number(flags.sessions)
const minutes = Number(flags.minutes)
const blocks = Number(flags.blocks)
const fromMinute = Math.min(FROM_MINUTE, minutes / 6)
const windowMinutes = minutes / 10
const windows = [
  { from: fromMinute, to: fromMinute + windowMinutes },
  { from: minutes - windowMinutes, to: minutes },
]
/** Every other sample at most, so that some of either kind are left in short runs. */
const collectionCount = Math.min(
  COLLECTIONS_MAX,
  Math.max(1, Math.floor((windowMinutes * 60_000) / (2 * SAMPLE_MS))),
)
/** Minutes at which garbage is collected. */
const collections = windows.flatMap(({ from, to }) => {
  const everyMinutes = (to - from) / collectionCount
  return Array.from({ length: collectionCount }, (_, at) => from + at * everyMinutes)
})
const never = new AbortController().signal
const clock = systemClock()
const run = promisify(execFile)

/** One worker, and what it replays. */
interface Side {
  bench: BenchStack
  worker: RunningChild
  recordingMinutes: number
  jobIds: string[]
  letGo(): Promise<void>
}

/** What was seen at a moment since all sessions of both workers ran. */
interface Sample {
  second: number
  long_bytes: number
  short_bytes: number
  /** Whether garbage was collected right before. */
  is_kept: boolean
  long_sessions: number
  short_sessions: number
}

async function main(): Promise<void> {
  await using cleanup = new CleanupStack()
  const long = await openSide(cleanup, Number(flags['recording-minutes']))
  const short = await openSide(cleanup, minutes + SPARE_MINUTES)
  const sides = [long, short]
  await Promise.all(sides.map(({ letGo }) => letGo()))
  for (const { bench, jobIds } of sides) {
    await untilCards(jobIds, bench, ({ status }) => status === 'running')
  }
  process.stderr.write('all sessions run\n')
  const cpuBefore = await Promise.all(sides.map(({ worker }) => cpuSeconds(worker.pid)))
  const samples = await watch(long, short)
  const cpuAfter = await Promise.all(sides.map(({ worker }) => cpuSeconds(worker.pid)))
  const figuresOf = (name: 'long' | 'short') => {
    const of = (sample: Sample) => sample[`${name}_bytes`]
    const [kept, all] = [true, false].map((isKept) => {
      const seen = samples.filter(({ is_kept }) => is_kept === isKept)
      const [from, to] = windows.map((window) => medianIn(seen, window, of)) as [number, number]
      return { from, to, growth: thousandths(to / from - 1) }
    }) as [Growth, Growth]
    return { kept, all }
  }
  const [ofLong, ofShort] = [figuresOf('long'), figuresOf('short')]
  const whole = { from: 0, to: minutes }
  const sessionsMedian = medianIn(samples, whole, (sample) => sample.long_sessions)
  const figures = {
    from_minute: tenths(fromMinute),
    window_minutes: windowMinutes,
    ...growthFigures('long_kept', ofLong.kept),
    ...growthFigures('short_kept', ofShort.kept),
    ...growthFigures('long_resident', ofLong.all),
    ...growthFigures('short_resident', ofShort.all),
    long_over_short: thousandths(ofLong.kept.to / ofShort.kept.to - 1),
    long_sessions_median: sessionsMedian,
    long_worker_cpu_share: shareOf(cpuBefore[0], cpuAfter[0]),
    short_worker_cpu_share: shareOf(cpuBefore[1], cpuAfter[1]),
  }
  await writeReport({
    ...reportHead('memory', { blocks }),
    ...{ sessions, minutes, recording_minutes: long.recordingMinutes },
    short_recording_minutes: short.recordingMinutes,
    ...figures,
    samples,
  })
  const isGood =
    Math.max(ofLong.kept.growth, ofShort.kept.growth) < GROWTH_MAX &&
    figures.long_over_short < LENGTH_GROWTH_MAX &&
    // At a change-over a lane has two.
    sessionsMedian >= sessions
  process.exitCode = isGood ? 0 : 1
}

interface Growth {
  from: number
  to: number
  growth: number
}

function growthFigures(name: string, { from, to, growth }: Growth): Record<string, number> {
  return { [`${name}_bytes_from`]: from, [`${name}_bytes_to`]: to, [`${name}_growth`]: growth }
}

async function openSide(cleanup: CleanupStack, recordingMinutes: number): Promise<Side> {
  const file = await madeRecording(recordingMinutes)
  const bench = cleanup.use(await startBenchStack({ blocks }))
  const { ports, settings } = bench
  const preload = new URL('./collect-garbage.mjs', import.meta.url)
  const worker = await bench.startWorker({ preload })
  const held = new Queue('transcribe', { connection: ports.redis, prefix: settings.queue.prefix })
  await held.pause() // all sessions shall start together
  const first = 'in/0.flac'
  await mkdir(dirname(pathOf(bench, first)), { recursive: true })
  await copyFile(file, pathOf(bench, first))
  const jobIds = [await submit(bench, first)]
  await untilCards(jobIds, bench, ({ status }) => status === 'queued')
  for (let at = 1; at < sessions; at += 1) {
    jobIds.push(await submitLike(bench, { key: first, jobId: jobIds[0] as string }, at))
  }
  await untilCards(jobIds, bench, ({ status }) => status === 'queued')
  process.stderr.write(`${sessions} recordings of ${recordingMinutes} min are ready\n`)
  const letGo = async () => {
    await held.resume()
    await held.close()
  }
  return { bench, worker, recordingMinutes, jobIds, letGo }
}

/** The path of a recording of so many minutes, made unless it is there. */
async function madeRecording(recordingMinutes: number): Promise<string> {
  await mkdir(BENCH_DIR, { recursive: true })
  const path = join(BENCH_DIR, `tones-${recordingMinutes}min.flac`)
  const isThere = await access(path).then(
    () => true,
    () => false, // not made yet
  )
  if (isThere) return path
  const count = Math.floor((PART_MINUTES * 60_000 * PHRASE_WORDS) / PHRASE_MS)
  await toneRecording({
    ...{ folder: BENCH_DIR, seed: 0, count, everyMs: EVERY_MS },
    pauseBeforeMs: phrases(PHRASE_WORDS),
  })
  const part = join(BENCH_DIR, 'tone-0.wav')
  const repeated = ['-stream_loop', '-1', '-i', part, '-t', String(recordingMinutes * 60)]
  const unfinished = `${path}.part`
  const quiet = ['-v', 'error', '-nostdin', '-y']
  await run('ffmpeg', [...quiet, ...repeated, '-f', 'flac', unfinished])
  await rename(unfinished, path)
  await rm(part)
  return path
}

async function submit({ ports }: BenchStack, key: string): Promise<string> {
  const options = {
    channels: 'mix',
    pace: 1,
    priority: 0,
    deadlineAt: null,
    tenant: 'default',
  } as const
  const address = sourceAddress(ports.store, key)
  return (await submitRecording(ports, { ...address, ...options }, { signal: never })).jobId
}

/**
 * Submits the same recording under another key, with its analysis and its decoded audio there
 * already, as after a worker that died between the two stages. Files are linked: a hundred copies
 * would measure the disk.
 */
async function submitLike(
  bench: BenchStack,
  like: { key: string; jobId: string },
  at: number,
): Promise<string> {
  const { ports } = bench
  const { store } = ports
  const key = `in/${at}.flac`
  await link(pathOf(bench, like.key), pathOf(bench, key))
  const { etag, versionId } = await store.head(key, { signal: never })
  const address = sourceAddress(store, key)
  const jobId = jobIdOf({ ...address, tenant: 'default', etag, versionId, channels: 'mix' })
  const analysis = await readJson(store, analysisKey(like.jobId), analysisDocument, {
    signal: never,
  })
  if (!analysis) throw new Error('the first recording has no analysis')
  const lanes = analysis.lanes.map((lane) => ({
    ...lane,
    peaks: { ...lane.peaks, key: peaksKey(jobId, lane.channel) },
  }))
  const own = { ...analysis, audio_key: audioKey(jobId), lanes }
  await writeJson(store, analysisKey(jobId), own, { signal: never })
  await link(pathOf(bench, audioKey(like.jobId)), pathOf(bench, audioKey(jobId)))
  await link(pathOf(bench, peaksKey(like.jobId, null)), pathOf(bench, peaksKey(jobId, null)))
  const submitted = await submit(bench, key)
  if (submitted !== jobId) throw new Error(`${key} became another job than was prepared`)
  return jobId
}

function pathOf({ settings }: BenchStack, key: string): string {
  return join(settings.storage, ...key.split('/'))
}

async function watch(long: Side, short: Side): Promise<Sample[]> {
  const samples: Sample[] = []
  const startMs = clock.monotonicMs()
  for (let dueMs = startMs; dueMs < startMs + minutes * 60_000; dueMs += SAMPLE_MS) {
    await clock.sleepUntil(dueMs, { signal: never })
    const minute = (dueMs - startMs) / 60_000
    const isKept = collections.some((at) => minute >= at && minute - at < SAMPLE_MS / 60_000)
    if (isKept) await collectGarbage([long, short])
    const [longSessions, shortSessions] = await Promise.all([sessionsOf(long), sessionsOf(short)])
    samples.push({
      second: Math.round((clock.monotonicMs() - startMs) / 1000),
      long_bytes: await residentBytes(long.worker.pid),
      short_bytes: await residentBytes(short.worker.pid),
      is_kept: isKept,
      long_sessions: longSessions,
      short_sessions: shortSessions,
    })
  }
  return samples
}

async function collectGarbage(sides: readonly Side[]): Promise<void> {
  for (const { worker } of sides) process.kill(worker.pid, 'SIGUSR2')
  await clock.sleepUntil(clock.monotonicMs() + SETTLE_MS, { signal: never })
}

async function sessionsOf({ bench }: Side): Promise<number> {
  return (await bench.gauges()).websocketConnections ?? 0
}

function medianIn(
  samples: readonly Sample[],
  minute: { from: number; to: number },
  of: (sample: Sample) => number,
): number {
  const inside = samples.filter(({ second }) => {
    return second >= minute.from * 60 && second < minute.to * 60
  })
  const sorted = inside.map(of).sort((one, other) => one - other)
  return sorted[sorted.length >> 1] ?? Number.NaN
}

function shareOf(before = 0, after = 0): number {
  return tenths((100 * (after - before)) / (minutes * 60)) / 100
}

function thousandths(value: number): number {
  return Math.round(value * 1000) / 1000
}

await main()
