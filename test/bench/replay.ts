import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Queue } from 'bullmq'
import { type RunningChild, startChild } from '../../src/cli/child-process.js'
import { type OpenPorts, openPorts } from '../../src/cli/open-ports.js'
import { programPath, projectRoot } from '../../src/cli/project-root.js'
import { readOutput } from '../../src/cli/results.js'
import { readEnvironment } from '../../src/config/environment.js'
import { type Settings, settingsSchema } from '../../src/config/schema.js'
import { CleanupStack } from '../../src/kernel/cleanup-stack.js'
import { isoTime, sleepFor, systemClock } from '../../src/kernel/clock.js'
import { systemRandom } from '../../src/kernel/random.js'
import type { MetricsDocument } from '../../src/latency/job-metrics.js'
import { readManifest } from '../../src/pipeline/commit-result.js'
import { sourceAddress } from '../../src/pipeline/source-address.js'
import { submitRecording } from '../../src/pipeline/submit-recording.js'
import { isFinal, type JobCard } from '../../src/queue/index.js'
import { readEngineGauges } from '../../src/realtime/engine-metrics.js'
import { startTestRedis } from '../fakes/test-redis.js'
import { phrases, type ToneRecording, toneRecording } from '../fakes/tone-recording.js'

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
const GAUGES_TIMEOUT_MS = 5_000

const { values: flags } = parseArgs({
  options: {
    sessions: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '600' },
    blocks: { type: 'string', default: '1729' },
  },
})
const sessions = Number(flags.sessions)
const seconds = Number(flags.seconds)
const signal = new AbortController().signal
const clock = systemClock()
const random = systemRandom()

/** What runs beside the benchmark. */
interface Bench {
  folder: string
  settings: Settings
  ports: OpenPorts
  engineUrl: string
  standin: RunningChild
  worker: RunningChild
}

type Jobs = ReadonlyMap<string, ToneRecording>

async function main(): Promise<void> {
  await using cleanup = new CleanupStack()
  const bench = await start(cleanup)
  const { ports, settings } = bench
  const { prefix } = settings.queue
  const held = new Queue('transcribe', { connection: ports.redis, prefix })
  cleanup.defer(() => held.close())
  await held.pause() // all sessions shall start together, after the last analysis
  const jobs = await submitAll(bench)
  await until(jobs.keys(), bench, (card) => card.status === 'queued')
  process.stderr.write('\nreplaying\n')
  const watched = await replay(bench, jobs, () => held.resume())
  const results = await judge(bench, jobs)
  const report = {
    bench: 'replay',
    engine: `stand-in (tones), no GPU, ${Number(flags.blocks) - 1} KV blocks, no step times`,
    date: isoTime(clock.wallMs()),
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD']).toString().trim(),
    machine: `${cpus()[0]?.model ?? '?'}, ${cpus().length} cores, Node ${process.version}`,
    policy: settings.admission.policy,
    sessions,
    seconds,
    ...results,
    ...watched,
  }
  const folder = join(projectRoot(), 'test', 'bench', 'results')
  await mkdir(folder, { recursive: true })
  const path = join(folder, `replay-${report.date.slice(0, 10)}-${report.commit}.json`)
  await writeFile(path, `${JSON.stringify(report, null, 2)}\n`)
  for (const [name, value] of Object.entries(report)) console.log(name.padEnd(36), value)
  const isGood =
    results.recordings_wrong === 0 &&
    results.delta_latency_ms_max <= DELTA_LATENCY_MS_MAX &&
    results.sender_slip_p99_ms_worst_session <= SLIP_P99_MS_MAX
  process.exitCode = isGood ? 0 : 1
}

async function start(cleanup: CleanupStack): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), 'nightscribe-bench-'))
  cleanup.defer(() => rm(folder, { recursive: true, force: true }))
  const redis = cleanup.use(await startTestRedis())
  const child = async (
    name: string,
    parts: { program: string; args: string[]; env: Record<string, string>; readyEvent: string },
  ) => {
    const program = programPath(parts.program)
    const args = [...parts.args, '--exit-with-stdin']
    const env = { ...readEnvironment(), ...parts.env }
    const { readyEvent } = parts
    const onLog = (line: string) => void (/"level":(40|50)/.test(line) && console.error(line))
    return cleanup.use(await startChild({ name, program, args, env, readyEvent, onLog, signal }))
  }
  const standin = await child('stand-in', {
    program: 'gpu/standin/main',
    args: ['--port', '0', '--recognizer', 'tones', '--blocks', flags.blocks],
    env: {},
    readyEvent: 'listening',
  })
  const engineUrl = String(standin.ready.url)
  const storage = join(folder, 'data')
  const stateDir = join(folder, 'state')
  const worker = await child('worker', {
    program: 'jobs/worker',
    args: [],
    env: {
      NIGHTSCRIBE_STORAGE: storage,
      NIGHTSCRIBE_STATE_DIR: stateDir,
      NIGHTSCRIBE_REDIS_URL: redis.url,
      NIGHTSCRIBE_ENGINES: engineUrl,
      NIGHTSCRIBE_VAD_METHOD: 'energy',
    },
    readyEvent: 'ready',
  })
  const settings = settingsSchema.parse({ storage, stateDir, redisUrl: redis.url })
  const ports = cleanup.use(await openPorts(settings, { clock, random, signal }))
  return { folder, settings, ports, engineUrl, standin, worker }
}

async function submitAll({ folder, ports }: Bench): Promise<Jobs> {
  const jobs = new Map<string, ToneRecording>()
  for (let seed = 0; seed < sessions; seed += 1) {
    const count = Math.floor((seconds * 1000 * PHRASE_WORDS) / PHRASE_MS)
    const recording = await toneRecording({
      ...{ folder, seed, count, everyMs: EVERY_MS, pauseBeforeMs: phrases(PHRASE_WORDS) },
      encode: { ending: 'flac', args: [] },
    })
    const key = `in/${seed}.flac`
    await ports.store.put(key, recording.bytes, { signal })
    const options = { channels: 'mix', pace: 1, priority: 0, deadlineAt: null } as const
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
async function replay(bench: Bench, jobs: Jobs, letGo: () => Promise<void>) {
  const { standin, worker, engineUrl } = bench
  const engine = { url: engineUrl, key: null }
  const idleBytes = await residentBytes(worker.pid)
  let peakBytes = 0
  let sessionsMax = 0
  let kvBlocksMax = 0
  const watch = async () => {
    const gauges = await readEngineGauges(engine, { timeoutMs: GAUGES_TIMEOUT_MS }, { signal })
    sessionsMax = Math.max(sessionsMax, gauges.websocketConnections ?? 0)
    kvBlocksMax = Math.max(kvBlocksMax, gauges.kvBlocksHeld ?? 0)
    peakBytes = Math.max(peakBytes, await residentBytes(worker.pid))
  }
  const cpuBefore = await cpuSeconds(worker.pid)
  const standinBefore = await cpuSeconds(standin.pid)
  const startMs = clock.monotonicMs()
  await letGo()
  await until(jobs.keys(), bench, ({ status }) => isFinal(status), watch)
  return {
    engine_sessions_max: sessionsMax,
    engine_kv_blocks_held_max: kvBlocksMax,
    worker_resident_bytes_before: idleBytes,
    worker_resident_bytes_peak: peakBytes,
    worker_bytes_per_session: Math.round((peakBytes - idleBytes) / sessions),
    worker_cpu_seconds: tenths((await cpuSeconds(worker.pid)) - cpuBefore),
    standin_cpu_seconds: tenths((await cpuSeconds(standin.pid)) - standinBefore),
    wall_ms: Math.round(clock.monotonicMs() - startMs),
  }
}

/** Compares every transcript with what was said, and sums up what the jobs measured. */
async function judge({ ports }: Bench, jobs: Jobs) {
  let words = 0
  let wrong = 0
  const metrics: MetricsDocument[] = []
  for (const [jobId, recording] of jobs) {
    const said = (recording.words[0] ?? []).map(({ text }) => text)
    words += said.length
    const manifest = await readManifest(ports.store, jobId, { signal })
    if (!manifest) {
      console.error(jobId, (await ports.board.get(jobId))?.error)
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

async function until(
  jobIds: Iterable<string>,
  { ports }: Bench,
  isReached: (card: JobCard) => boolean,
  watch: () => Promise<void> = async () => {},
): Promise<void> {
  const open = new Set(jobIds)
  while (open.size > 0) {
    for (const jobId of open) {
      const card = await ports.board.get(jobId)
      if (card && isReached(card)) open.delete(jobId)
    }
    await watch()
    await sleepFor(clock, 1_000, { signal })
  }
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024
}

/** User and system time of a process; clock ticks are 10 ms on Linux. */
async function cpuSeconds(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10
}

await main()
