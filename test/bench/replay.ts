import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Queue } from 'bullmq'
import { systemClock } from '../../src/kernel/clock.js'
import type { MetricsDocument } from '../../src/latency/job-metrics.js'
import { sourceAddress } from '../../src/pipeline/intake/source-address.js'
import { submitRecording } from '../../src/pipeline/intake/submit-recording.js'
import { readManifest } from '../../src/pipeline/result/commit-result.js'
import { readOutput } from '../../src/pipeline/result/read-output.js'
import { isFinal } from '../../src/queue/contract/job-status.js'
import { phrases, type ToneRecording, toneRecording } from '../fakes/tone-recording.js'
import { cpuSeconds, reportHead, residentBytes, tenths, writeReport } from './bench-report.js'
import { type BenchStack, startBenchStack, untilCards } from './bench-stack.js'

/**
 * Tone-coded recordings, replayed at pace 1 at the same time: one worker process, the stand-in in
 * another, with the KV blocks of an L40S and no step times, so that `elastic` has to rotate.
 *
 *   npm run bench:replay -- [--sessions 100] [--seconds 600] [--blocks 1729]
 *
 * Every word must come once and in order, no delta later than 1 s after its audio, and the sender's
 * slip (p99, of each session) must be 20 ms at most: else the exit code is 1.
 */
const DELTA_LATENCY_MS_MAX = 1_000
const SLIP_P99_MS_MAX = 20

const EVERY_MS = 400
const PHRASE_WORDS = 15
const PHRASE_MS = PHRASE_WORDS * EVERY_MS + 1_000

const { values: flags } = parseArgs({
  options: {
    sessions: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '600' },
    blocks: { type: 'string', default: '1729' },
  },
})
const sessions = Number(flags.sessions)
const seconds = Number(flags.seconds)
const blocks = Number(flags.blocks)
const signal = new AbortController().signal
const clock = systemClock()

type Jobs = ReadonlyMap<string, ToneRecording>

async function main(): Promise<void> {
  await using bench = await startBenchStack({ blocks })
  const { ports, settings } = bench
  const worker = await bench.startWorker()
  const { prefix } = settings.queue
  const held = new Queue('transcribe', { connection: ports.redis, prefix })
  await held.pause() // all sessions shall start together, after the last analysis
  const jobs = await submitAll(bench)
  await untilCards(jobs.keys(), bench, (record) => record.status === 'queued')
  process.stderr.write('\nreplaying\n')
  const watched = await replay(bench, { jobs, workerPid: worker.pid }, () => held.resume())
  await held.close()
  const results = await judge(bench, jobs)
  await writeReport({
    ...reportHead('replay', { blocks }),
    policy: settings.admission.policy,
    sessions,
    seconds,
    ...results,
    ...watched,
  })
  const isGood =
    results.recordings_wrong === 0 &&
    results.delta_latency_ms_max <= DELTA_LATENCY_MS_MAX &&
    results.sender_slip_p99_ms_worst_session <= SLIP_P99_MS_MAX
  process.exitCode = isGood ? 0 : 1
}

async function submitAll({ folder, ports }: BenchStack): Promise<Jobs> {
  const jobs = new Map<string, ToneRecording>()
  for (let seed = 0; seed < sessions; seed += 1) {
    const count = Math.floor((seconds * 1000 * PHRASE_WORDS) / PHRASE_MS)
    const recording = await toneRecording({
      ...{ folder, seed, count, everyMs: EVERY_MS, pauseBeforeMs: phrases(PHRASE_WORDS) },
      encode: { ending: 'flac', args: [] },
    })
    const key = `in/${seed}.flac`
    await ports.store.put(key, recording.bytes, { signal })
    const options = {
      channels: 'mix',
      pace: 1,
      priority: 0,
      deadlineAt: null,
      tenant: 'default',
    } as const
    const address = sourceAddress(ports.store, key)
    const { jobId } = await submitRecording(ports, { ...address, ...options }, { signal })
    jobs.set(jobId, { ...recording, bytes: Buffer.alloc(0) })
    await rm(join(folder, `tone-${seed}.wav`))
    await rm(join(folder, `tone-${seed}.flac`))
    process.stderr.write(`\rmade ${seed + 1} recordings`)
  }
  return jobs
}

/** Lets the jobs go, and watches both processes and the engine until all have ended. */
async function replay(
  bench: BenchStack,
  { jobs, workerPid }: { jobs: Jobs; workerPid: number },
  letGo: () => Promise<void>,
) {
  const { standin } = bench
  const idleBytes = await residentBytes(workerPid)
  let peakBytes = 0
  let sessionsMax = 0
  let kvBlocksMax = 0
  const watch = async () => {
    const gauges = await bench.gauges()
    sessionsMax = Math.max(sessionsMax, gauges.websocketConnections ?? 0)
    kvBlocksMax = Math.max(kvBlocksMax, gauges.kvBlocksHeld ?? 0)
    peakBytes = Math.max(peakBytes, await residentBytes(workerPid))
  }
  const cpuBefore = await cpuSeconds(workerPid)
  const standinBefore = await cpuSeconds(standin.pid)
  const startMs = clock.monotonicMs()
  await letGo()
  await untilCards(jobs.keys(), bench, ({ status }) => isFinal(status), { watch })
  return {
    engine_sessions_max: sessionsMax,
    engine_kv_blocks_held_max: kvBlocksMax,
    worker_resident_bytes_before: idleBytes,
    worker_resident_bytes_peak: peakBytes,
    worker_bytes_per_session: Math.round((peakBytes - idleBytes) / sessions),
    worker_cpu_seconds: tenths((await cpuSeconds(workerPid)) - cpuBefore),
    standin_cpu_seconds: tenths((await cpuSeconds(standin.pid)) - standinBefore),
    wall_ms: Math.round(clock.monotonicMs() - startMs),
  }
}

/** Compares every transcript with what was said, and sums up what the jobs measured. */
async function judge({ ports }: BenchStack, jobs: Jobs) {
  let words = 0
  let wrong = 0
  const metrics: MetricsDocument[] = []
  for (const [jobId, recording] of jobs) {
    const said = (recording.words[0] ?? []).map(({ text }) => text)
    words += said.length
    const manifest = await readManifest(ports.store, jobId, { signal })
    if (!manifest) {
      console.error(jobId, (await ports.jobStore.get(jobId, { signal }))?.error)
      wrong += 1
      continue
    }
    const read = async (name: string) => {
      const key = manifest.outputs.find((output) => output.name === name)?.key ?? name
      return JSON.parse((await readOutput(ports, key, { signal })).toString())
    }
    const heard = (await read('transcript.json')).words.map((word: { word: string }) => word.word)
    if (heard.join(' ') !== said.join(' ')) wrong += 1
    metrics.push(await read('metrics.json'))
  }
  const all = (of: (document: MetricsDocument) => number | null) =>
    metrics.map((document) => of(document) ?? 0).sort((one, other) => one - other)
  const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0)
  const slipP99 = all(({ sender_slip_ms: slip }) => slip.p99)
  const legs = sum(all(({ rotations }) => rotations)) + metrics.length
  return {
    words,
    recordings_wrong: wrong,
    delta_latency_ms_max: all(({ delta_latency_ms: delta }) => delta.max).at(-1) ?? 0,
    delta_latency_ms_p99_worst_session: all(({ delta_latency_ms: delta }) => delta.p99).at(-1) ?? 0,
    finalization_ms_max: all((document) => document.finalization_ms).at(-1) ?? 0,
    sender_slip_p99_ms_worst_session: slipP99.at(-1) ?? 0,
    sender_slip_p99_ms_median_session: slipP99[slipP99.length >> 1] ?? 0,
    sender_slip_max_ms: all(({ sender_slip_ms: slip }) => slip.max).at(-1) ?? 0,
    overrun_ms_max: all((document) => document.overrun_ms).at(-1) ?? 0,
    legs,
    leg_seconds_mean: tenths(sum(all((document) => document.audio_ms)) / 1000 / Math.max(1, legs)),
    reconnects: sum(all(({ reconnects }) => reconnects)),
    sender_stalls: sum(all(({ stalls }) => stalls)),
  }
}

await main()
