import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Queue } from 'bullmq'
import { startChild } from '../../src/cli/child-process.js'
import { openPorts } from '../../src/cli/open-ports.js'
import { programPath, projectRoot } from '../../src/cli/project-root.js'
import { readOutput } from '../../src/cli/results.js'
import { readEnvironment } from '../../src/config/environment.js'
import { settingsSchema } from '../../src/config/schema.js'
import { CleanupStack } from '../../src/kernel/cleanup-stack.js'
import { isoTime, sleepFor, systemClock } from '../../src/kernel/clock.js'
import { systemRandom } from '../../src/kernel/random.js'
import { readManifest } from '../../src/pipeline/commit-result.js'
import { sourceAddress } from '../../src/pipeline/source-address.js'
import { submitRecording } from '../../src/pipeline/submit-recording.js'
import { isFinal } from '../../src/queue/index.js'
import { startTestRedis } from '../fakes/test-redis.js'
import { type ToneRecording, toneRecording } from '../fakes/tone-recording.js'

/**
 * A hundred tone-coded recordings of two minutes, replayed at pace 1 at the same time: one worker
 * process, the stand-in in another. `npm run bench:replay -- [sessions] [seconds]`. Every word must
 * come once and in order; the sender's slip and the worker's memory are reported.
 */
const sessions = Number(process.argv[2] ?? 100)
const seconds = Number(process.argv[3] ?? 120)
const everyMs = 400
const signal = new AbortController().signal
const clock = systemClock()
const random = systemRandom()

async function main(): Promise<void> {
  await using cleanup = new CleanupStack()
  const folder = await mkdtemp(join(tmpdir(), 'nightscribe-bench-'))
  cleanup.defer(() => rm(folder, { recursive: true, force: true }))
  const redis = cleanup.use(await startTestRedis())
  const onLog = (line: string) => void (/"level":(40|50)/.test(line) && console.error(line))
  const standin = cleanup.use(
    await startChild({
      name: 'stand-in',
      program: programPath('gpu/standin/main'),
      args: ['--port', '0', '--recognizer', 'tones', '--exit-with-stdin'],
      env: readEnvironment(),
      readyEvent: 'listening',
      onLog,
      signal,
    }),
  )
  const env = {
    NIGHTSCRIBE_STORAGE: join(folder, 'data'),
    NIGHTSCRIBE_STATE_DIR: join(folder, 'state'),
    NIGHTSCRIBE_REDIS_URL: redis.url,
    NIGHTSCRIBE_ENGINES: String(standin.ready.url),
    NIGHTSCRIBE_ENGINE_SESSIONS_MAX: String(sessions),
    NIGHTSCRIBE_VAD_METHOD: 'energy',
  }
  const worker = cleanup.use(
    await startChild({
      name: 'worker',
      program: programPath('jobs/worker'),
      args: ['--exit-with-stdin'],
      env: { ...readEnvironment(), ...env },
      readyEvent: 'ready',
      onLog,
      signal,
    }),
  )
  const settings = settingsSchema.parse({
    storage: env.NIGHTSCRIBE_STORAGE,
    stateDir: env.NIGHTSCRIBE_STATE_DIR,
    redisUrl: redis.url,
  })
  const ports = cleanup.use(await openPorts(settings, { clock, random, signal }))
  const { redis: connection } = ports
  const held = new Queue('transcribe', { connection, prefix: settings.queue.prefix })
  cleanup.defer(() => held.close())

  await held.pause() // all sessions shall start together, after the last analysis
  const jobs = new Map<string, ToneRecording>()
  for (let seed = 0; seed < sessions; seed += 1) {
    const encode = { ending: 'flac', args: [] }
    const count = Math.floor((seconds * 1000) / everyMs)
    const recording = await toneRecording({ folder, seed, count, everyMs, encode })
    const key = `in/${seed}.flac`
    await ports.store.put(key, recording.bytes, { signal })
    const options = { channels: 'mix', pace: 1, priority: 0, deadlineAt: null } as const
    const address = sourceAddress(ports.store, key)
    const { jobId } = await submitRecording(ports, { ...address, ...options }, { signal })
    jobs.set(jobId, recording)
    process.stderr.write(`\rmade ${seed + 1} recordings`)
  }
  await until(jobs, async (jobId) => (await ports.board.get(jobId))?.status === 'queued')
  const idleBytes = await residentBytes(worker.pid)
  await held.resume()
  process.stderr.write('\nreplaying\n')
  let peakBytes = 0
  const cpuBefore = await cpuSeconds(worker.pid)
  const standinBefore = await cpuSeconds(standin.pid)
  const startMs = clock.monotonicMs()
  await until(jobs, async (jobId) => {
    peakBytes = Math.max(peakBytes, await residentBytes(worker.pid))
    const card = await ports.board.get(jobId)
    return card !== null && isFinal(card.status)
  })
  const wallMs = clock.monotonicMs() - startMs
  const workerCpu = (await cpuSeconds(worker.pid)) - cpuBefore
  const standinCpu = (await cpuSeconds(standin.pid)) - standinBefore

  let words = 0
  let wrong = 0
  const slipP99: number[] = []
  const slipMax: number[] = []
  for (const [jobId, recording] of jobs) {
    const manifest = await readManifest(ports.store, jobId, { signal })
    const read = async (name: string) => {
      const key = manifest?.outputs.find((output) => output.name === name)?.key ?? name
      return JSON.parse((await readOutput(ports, key, { signal })).toString())
    }
    const heard = (await read('transcript.json')).words.map((word: { word: string }) => word.word)
    const said = (recording.words[0] ?? []).map(({ text }) => text)
    words += said.length
    if (heard.join(' ') !== said.join(' ')) wrong += 1
    const { sender_slip_ms: slip } = await read('metrics.json')
    slipP99.push(slip.p99)
    slipMax.push(slip.max)
  }
  const report = {
    bench: 'replay',
    engine: 'stand-in (tones), no GPU',
    date: isoTime(clock.wallMs()),
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD']).toString().trim(),
    machine: `${cpus()[0]?.model ?? '?'}, ${cpus().length} cores, Node ${process.version}`,
    sessions,
    seconds,
    words,
    recordings_wrong: wrong,
    sender_slip_p99_ms_worst_session: Math.max(...slipP99),
    sender_slip_p99_ms_median_session: slipP99.sort((a, b) => a - b)[slipP99.length >> 1],
    sender_slip_max_ms: Math.max(...slipMax),
    worker_resident_bytes_before: idleBytes,
    worker_resident_bytes_peak: peakBytes,
    worker_bytes_per_session: Math.round((peakBytes - idleBytes) / sessions),
    worker_cpu_seconds: round(workerCpu),
    standin_cpu_seconds: round(standinCpu),
    wall_ms: Math.round(wallMs),
  }
  const results = join(projectRoot(), 'test', 'bench', 'results')
  await mkdir(results, { recursive: true })
  const path = join(results, `replay-${report.date.slice(0, 10)}-${report.commit}.json`)
  await writeFile(path, `${JSON.stringify(report, null, 2)}\n`)
  for (const [name, value] of Object.entries(report)) console.log(name.padEnd(36), value)
  process.exitCode = wrong > 0 || report.sender_slip_p99_ms_worst_session > 20 ? 1 : 0
}

async function until(
  jobs: ReadonlyMap<string, unknown>,
  condition: (jobId: string) => Promise<boolean>,
): Promise<void> {
  const open = new Set(jobs.keys())
  while (open.size > 0) {
    for (const jobId of open) if (await condition(jobId)) open.delete(jobId)
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

function round(value: number): number {
  return Math.round(value * 10) / 10
}

await main()
