import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type WorkerEvents, workerEvents } from '../../jobs/events.js'
import { serveMetrics } from '../../jobs/metrics/metrics-server.js'
import { EMPTY_LEDGER } from '../../src/admission/ledger/ledger.js'
import { RedisLedgerStore } from '../../src/admission/store/redis-ledger-store.js'
import { openLogger } from '../../src/app/logger.js'
import type { Settings } from '../../src/config/schema.js'
import { parsePrometheusText } from '../../src/engines/prometheus-text.js'
import { Condition } from '../../src/kernel/condition.js'
import { UpstreamError } from '../../src/kernel/errors.js'
import { MetricRegistry } from '../../src/latency/metric-registry.js'
import { spoolName } from '../../src/media/spool/spool-folders.js'
import type { CleanReport } from '../../src/pipeline/housekeeping/clean-up.js'
import { jobIdOf } from '../../src/pipeline/intake/job-id.js'
import { type DevStack, startDevStack } from '../dev-stack.js'
import { freePort } from '../fakes/free-port.js'
import { runCli } from '../fakes/run-cli.js'
import { toneRecording } from '../fakes/tone-recording.js'
import { expectWords, submitTo, transcriptOf } from '../job-results.js'

const { signal } = new AbortController()
const HOUR_MS = 3_600_000
/** No process has it: Linux gives out none above 4,194,304. */
const NO_PID = 4_194_305
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-house-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** What a worker logs, and waiting for one of its events. */
function listening(settings: Settings) {
  let text = ''
  const add = (line: string) => {
    text += line
  }
  const changed = new Condition()
  const events = workerEvents(openLogger(settings, { write: (line) => add(line) }))
  const reports: CleanReport[] = []
  const cleaned: WorkerEvents['cleaned'] = (report) => {
    events.cleaned(report)
    reports.push(report)
    changed.notifyAll()
  }
  return {
    ...{ reports, changed, logged: () => text },
    events: { ...events, cleaned } satisfies WorkerEvents,
  }
}

async function put(stack: DevStack, key: string, ageMs: number): Promise<void> {
  await stack.ports.store.put(key, Buffer.from('leftover'), { signal })
  const at = new Date(Date.now() - ageMs)
  await utimes(join(stack.settings.storage, key), at, at)
}

async function keysBelow(stack: DevStack, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of stack.ports.store.list(prefix, { signal })) keys.push(key)
  return keys
}

/** One of each kind, beside what must stay. @returns the keys that must go, and those that stay */
async function litter(stack: DevStack, doneId: string) {
  const done = `jobs/${doneId}/`
  const others = ['orphan', 'open'].map((key) =>
    jobIdOf({ tenant: 'default', bucket: 'b', key, versionId: null, etag: 'e', channels: 'mix' }),
  )
  const [orphan, open] = others.map((id) => `jobs/${id}/`) as [string, string]
  const stays = await keysBelow(stack, '')
  for (const key of stays) {
    const at = new Date(Date.now() - 2 * HOUR_MS)
    await utimes(join(stack.settings.storage, key), at, at)
  }
  const goes = [
    `${done}a7/transcript.json`,
    `${done}audio.flac`,
    `${done}checkpoints/7-000001.json`,
  ]
  for (const key of goes) await put(stack, key, 2 * HOUR_MS)
  await put(stack, `${orphan}analysis.json`, 25 * HOUR_MS)
  const kept = [`${open}job.json`, `${open}a1/failure.json`, `${open}checkpoints/1-000002.json`]
  for (const key of [...kept, 'jobs/2026/audio.flac']) await put(stack, key, 99 * HOUR_MS)
  const temporary = join(stack.settings.storage, '.tmp', '0'.repeat(32))
  await writeFile(temporary, 'half')
  await utimes(temporary, 1, 1)
  await mkdir(join(stack.settings.stateDir, 'spool', spoolName(hostname(), NO_PID)), {
    recursive: true,
  })
  await leaveBehind(stack, orphan)
  return {
    goes: [...goes, `${orphan}analysis.json`].sort(),
    stays: [...stays, ...kept, 'jobs/2026/audio.flac'].sort(),
  }
}

/** In Redis: leases of a worker that never was, and an entry of the list without a card. */
async function leaveBehind(stack: DevStack, id: string): Promise<void> {
  const { redis, commands } = stack.ports
  const ledgers = new RedisLedgerStore(commands)
  const gone = { pace: 1, live: false, legs: [], restFrames: 9, parkedSinceMs: 1 }
  const chains = [{ ...gone, id: 'j/0', worker: 'gone' }]
  const { revision } = await ledgers.read('ws://old:1/v1/realtime', { signal })
  await ledgers.write('ws://old:1/v1/realtime', { ...EMPTY_LEDGER, chains }, { revision, signal })
  await redis.zadd('nightscribe:jobs', 1, id)
}

const KINDS = ['attempt', 'audio', 'checkpoint', 'entry', 'lease', 'orphan', 'spool', 'unfinished']

function environmentOf({ storage, stateDir, redisUrl }: Settings): Record<string, string> {
  return {
    NIGHTSCRIBE_STORAGE: storage,
    NIGHTSCRIBE_STATE_DIR: stateDir,
    NIGHTSCRIBE_REDIS_URL: redisUrl ?? '',
  }
}

describe('leftovers', () => {
  it('are shown by a dry run, removed by a real one, and nothing else is', async () => {
    await using stack = await startDevStack({ housekeeping: { intervalMs: null } })
    const worker = await stack.startWorker()
    const recording = await toneRecording({ folder, seed: 61, count: 4 })
    const jobId = await submitTo(stack, 'a.wav', recording.bytes)
    await stack.ended([jobId])
    await worker.drain()
    const { goes, stays } = await litter(stack, jobId)
    const env = environmentOf(stack.settings)
    const dry = JSON.parse((await runCli(['clean', '--dry-run', '--json'], { env })).out)
    expect(dry.leftovers.map(({ kind }: { kind: string }) => kind).sort()).toEqual(KINDS)
    expect(dry).toMatchObject({ dry_run: true, sums: { removed: { items: 0 } }, unseen: [] })
    expect((await keysBelow(stack, '')).sort()).toEqual([...goes, ...stays].sort())
    const wet = await runCli(['clean'], { env })
    expect(wet).toMatchObject({ code: 0, err: '' })
    expect(wet.out).toMatch(/removed +checkpoint +8 B +2 h +the job is done/)
    expect(wet.out).toContain('8 removed')
    expect((await keysBelow(stack, '')).sort()).toEqual(stays)
    expect(await readdir(join(stack.settings.storage, '.tmp'))).toEqual([])
    expect(await stack.ledger('ws://old:1/v1/realtime')).toMatchObject({ chains: [] })
    expect((await runCli(['clean'], { env })).out).toBe('Nothing is left over.\n')
    expectWords(await transcriptOf(stack, jobId), recording)
  })

  it('are removed by workers on a schedule, one of them at a time', async () => {
    await using stack = await startDevStack({ housekeeping: { intervalMs: 60_000 } })
    const recording = await toneRecording({ folder, seed: 62, count: 2 })
    const first = listening(stack.settings)
    await stack.startWorker({ housekeeping: { intervalMs: 1_000, removalsMax: 100 } }, first.events)
    const jobId = await submitTo(stack, 'a.wav', recording.bytes)
    await stack.ended([jobId])
    const { goes, stays } = await litter(stack, jobId)
    const isGone = async () => (await keysBelow(stack, '')).every((key) => !goes.includes(key))
    while (!(await isGone())) await first.changed.wait(signal)
    expect((await keysBelow(stack, '')).sort()).toEqual(stays)
    // Somebody else's turn: only what lies on this worker's own disk is its business.
    await stack.ports.redis.set('nightscribe:lock:housekeeping', '', 'PX', 600_000)
    await first.changed.wait(signal)
    const seen = first.reports.length
    await litter(stack, jobId)
    const kinds = () => first.reports.slice(seen).flatMap(({ removed }) => [...removed.keys()])
    while (kinds().length === 0) await first.changed.wait(signal)
    await first.changed.wait(signal)
    expect(kinds()).toEqual(['spool'])
  })
})

describe('what a worker tells', () => {
  it('counts everything, and logs no text, no name and nothing that opens a door', async () => {
    const faults = [{ kind: 'drop', afterDeltas: 20, sessions: [1] }] as const
    const key = 'sk-engine-key-61f0'
    await using stack = await startDevStack(
      { engineKey: key, metrics: { port: 0 }, log: { level: 'debug' } },
      { key, faults },
    )
    const redisUrl = await withPassword(stack)
    const settings = { ...stack.settings, redisUrl }
    const { events, logged } = listening(settings)
    const worker = await stack.startWorker({ redisUrl }, events)
    const recording = await toneRecording({ folder, seed: 63, count: 20 })
    const jobId = await submitTo(stack, 'Board-Meeting-Alpha.wav', recording.bytes, { pace: 4 })
    const badId = await submitTo(stack, 'Secret-Merger.wav', Buffer.from('no recording at all'))
    const [done] = await stack.ended([jobId, badId])
    expect(done?.status).toBe('completed')
    // A job has ended before its attempt is counted and gone from the queue.
    for (const id of [jobId, badId])
      while (await stack.ports.queue.has(id, { signal })) await turn()
    const page = await fetch(`http://127.0.0.1:${worker.metricsPort}/metrics`)
    expectCounts(await page.text(), stack)
    await stack.ports.redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    events.looksFailed(new UpstreamError('queue_unavailable', `Redis at ${redisUrl} failed.`))
    events.queueError(new Error(`${key}: ${recording.words[0]?.[0]?.text}`))
    await worker.drain()
    const text = logged()
    expect(text).toContain(jobId)
    expect(text).toContain(badId)
    for (const line of text.trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('msg')
    const words = recording.words.flat().map((word) => word.text)
    for (const secret of [key, 'Alpha', 'Merger', 'hunter22', ...words]) {
      expect(text, secret).not.toContain(secret)
    }
  })

  it('is served to whoever asks for it rightly', async () => {
    const options = { registry: new MetricRegistry(), update: async () => {}, host: '127.0.0.1' }
    await using server = await serveMetrics({ ...options, port: 0 }, { signal })
    const ask = (path: string, method = 'GET') =>
      fetch(`http://127.0.0.1:${server.port}${path}`, { method })
    expect((await ask('/metrics')).headers.get('content-type')).toContain('version=0.0.4')
    expect((await ask('/')).status).toBe(404)
    expect((await ask('/metrics', 'POST')).status).toBe(405)
    const taken = serveMetrics({ ...options, port: server.port }, { signal })
    await expect(taken).rejects.toMatchObject({ code: 'config_invalid' })
    await expect(taken).rejects.toThrow('NIGHTSCRIBE_METRICS_PORT')
  })
})

/** Opens a port of the stack's Redis on loopback, for a user with a password. */
async function withPassword({ ports: { redis } }: DevStack): Promise<string> {
  const port = await freePort()
  await redis.config('SET', 'bind', '127.0.0.1')
  await redis.config('SET', 'port', String(port))
  await redis.acl('SETUSER', 'night', 'on', '>hunter22', '~*', '&*', '+@all')
  return `redis://night:hunter22@127.0.0.1:${port}`
}

function expectCounts(page: string, { standin }: DevStack): void {
  const samples = parsePrometheusText(page)
  const engine = new URL(standin.url).host
  const of = (name: string, labels: Record<string, string> = {}) => {
    const found = samples.filter((sample) => {
      return (
        sample.name === `nightscribe_${name}` &&
        Object.entries(labels).every(([label, value]) => sample.labels[label] === value)
      )
    })
    expect(found, name).not.toHaveLength(0)
    return found.reduce((sum, { value }) => sum + value, 0)
  }
  expect(of('jobs_ended_total', { outcome: 'completed' })).toBe(1)
  expect(of('jobs_ended_total', { outcome: 'failed' })).toBe(1)
  expect(of('sessions_opened_total', { engine })).toBeGreaterThanOrEqual(2)
  expect(of('sessions_ended_total', { outcome: 'failed' })).toBe(1)
  expect(of('reconnects_total')).toBe(1)
  expect(of('audio_redone_seconds_total')).toBeGreaterThan(0)
  expect(of('sessions_running', { engine })).toBe(0)
  expect(of('legs_total')).toBeGreaterThanOrEqual(1)
  const frames = of('frames_sent_total', { engine })
  expect(frames).toBeGreaterThan(50)
  expect(of('frame_slip_seconds_count')).toBe(frames)
  expect(of('delta_lag_seconds_count', { engine })).toBe(of('deltas_total', { engine }))
  expect(of('engine_up', { engine })).toBe(1)
  expect(of('kv_blocks_capacity', { engine })).toBeGreaterThan(0)
  expect(of('kv_blocks_predicted', { engine })).toBeGreaterThanOrEqual(0)
  expect(of('queue_jobs', { stage: 'transcribe', state: 'active' })).toBe(0)
  expect(of('storage_requests_total', { action: 'put', code: 'none' })).toBeGreaterThan(0)
  expect(of('redis_errors_total', { part: 'queue' })).toBe(0)
  expect(of('build_info')).toBe(1)
}
