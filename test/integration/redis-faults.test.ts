import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readDurability } from '../../src/redis/redis-durability.js'
import { manifestKey } from '../../src/storage/keys.js'
import { type DevStack, startDevStack } from '../dev-stack.js'
import { runCli } from '../fakes/run-cli.js'
import { startTestRedis } from '../fakes/test-redis.js'
import { type ToneRecording, toneRecording } from '../fakes/tone-recording.js'
import { expectContiguous, expectWords, submitTo, transcriptOf } from '../job-results.js'

const signal = new AbortController().signal
/** Longer than an answer of Redis is waited for, shorter than a lock lasts by default. */
const PAUSE_MS = 6_000
let folder: string
let stack: DevStack
let admin: Redis
let seed = 8_100

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-redis-faults-'))
  stack = await startDevStack()
  admin = await stack.redis.connect()
})
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

interface Running {
  jobId: string
  recording: ToneRecording
}

/** Jobs of 20 s of audio each that are in the middle of it, and take 3 s more. */
async function threeRunning(): Promise<Running[]> {
  const running: Running[] = []
  for (let index = 0; index < 3; index += 1) {
    seed += 1
    const recording = await toneRecording({ folder, seed, count: 50 })
    const jobId = await submitTo(stack, `${seed}.wav`, recording.bytes, { pace: 5 })
    running.push({ jobId, recording })
  }
  for (const { jobId } of running) {
    await stack.until(jobId, ({ audioMsDone }) => audioMsDone > 1_000)
  }
  return running
}

/** Every word once, no gap, no error left, and one manifest. */
async function expectComplete(running: readonly Running[]): Promise<void> {
  const records = await stack.ended(running.map(({ jobId }) => jobId))
  for (const [index, { jobId, recording }] of running.entries()) {
    expect(records[index]).toMatchObject({ status: 'completed', error: null })
    const transcript = await transcriptOf(stack, jobId)
    expectWords(transcript, recording)
    expectContiguous(transcript, recording)
    const manifests: string[] = []
    for await (const { key } of stack.ports.store.list(manifestKey(jobId), { signal })) {
      manifests.push(key)
    }
    expect(manifests).toEqual([manifestKey(jobId)])
  }
  // A job is done before its session is given back; with none left over this ends.
  while ((await stack.ledger()).chains.length > 0) await sleep(50)
}

describe('jobs that run while Redis', () => {
  beforeAll(async () => {
    await stack.startWorker()
  })

  it('is killed and started again complete, every word once', async () => {
    const running = await threeRunning()
    await stack.redis.kill()
    await sleep(1_000)
    await stack.redis.start()
    await expectComplete(running)
  })

  it('answers nobody for as long as a failover takes complete, every word once', async () => {
    const running = await threeRunning()
    await stack.redis.freeze()
    await sleep(PAUSE_MS)
    await stack.redis.thaw()
    await expectComplete(running)
  })

  it('takes no writes, as a primary that is being replaced, complete, every word once', async () => {
    const running = await threeRunning()
    await admin.replicaof('127.0.0.1', 1)
    await sleep(1_000)
    await admin.replicaof('NO', 'ONE')
    await expectComplete(running)
  })

  it('has no memory left go on when there is some, every word once', async () => {
    const running = await threeRunning()
    await admin.config('SET', 'maxmemory', 1)
    await expect(stack.ports.jobStore.nextFence('of-no-job', 0, { signal })).rejects.toMatchObject({
      ...{ code: 'queue_unavailable', effect: 'none', retryable: true },
      message: expect.stringMatching(/memory is full: raise its maxmemory.*\(OOM\)/),
    })
    const late = submitTo(stack, 'late.wav', running[0]?.recording.bytes ?? Buffer.of(), {
      pace: 6,
    })
    await expect(late).rejects.toMatchObject({ code: 'queue_unavailable' })
    await sleep(3_000)
    await admin.config('SET', 'maxmemory', 0)
    await expectComplete(running)
  })
})

describe('told to stop while Redis is gone', () => {
  it('a client that rests between two connections ends, and what was asked of it', async () => {
    await using redis = await startTestRedis()
    const client = (await redis.connect()).duplicate()
    client.on('error', () => {}) // what it meets while nobody is there
    const asked = client.bzpopmin('nobody-adds-to-it', 0).catch(String)
    await once(client, 'ready')
    await Promise.all([once(client, 'reconnecting'), redis.kill()])
    const ended = once(client, 'end')
    client.disconnect()
    await ended
    expect(await asked).toContain('Connection is closed')
  })

  it('a worker that carries nothing leaves with 0', async () => {
    await using own = await startDevStack()
    const worker = await own.startWorkerProcess()
    await own.redis.kill()
    process.kill(worker.pid, 'SIGTERM')
    expect(await worker.exited).toEqual({ code: 0, signal: null })
    await own.redis.start() // the stack's own connections end in order
  })
})

describe('a Redis that would lose jobs', () => {
  it('is refused by worker and doctor when it deletes keys, with the line that mends it', async () => {
    await admin.config('SET', 'maxmemory-policy', 'allkeys-lru')
    const socket = stack.redis.url.slice('unix://'.length)
    const line = `redis-cli -s ${socket} CONFIG SET maxmemory-policy noeviction`
    const refused = await stack.startWorker().catch((error: unknown) => error)
    expect(refused).toMatchObject({ name: 'ConfigError', code: 'config_invalid' })
    expect(String(refused)).toMatch(/allkeys-lru.*loses jobs/)
    expect(String(refused)).toContain(line)
    expect(await doctorOnRedis()).toMatchObject([
      { state: 'wrong', detail: expect.stringContaining(line) },
    ])
    await admin.config('SET', 'maxmemory-policy', 'noeviction')
  })

  it('is warned of by doctor when it keeps nothing on disk, or is nearly full', async () => {
    await admin.config('SET', 'appendonly', 'no')
    const { memoryBytes } = await readDurability(admin, { signal })
    await admin.config('SET', 'maxmemory', Math.round((memoryBytes ?? 0) * 1.1))
    const found = await doctorOnRedis()
    expect(found.map(({ state }) => state)).toEqual(['ok', 'warning', 'warning'])
    expect(found[1]?.detail).toMatch(/CONFIG SET appendonly yes/)
    expect(found[2]?.detail).toMatch(/raise maxmemory/)
  })
})

async function doctorOnRedis(): Promise<{ state: string; detail: string }[]> {
  const env = { NIGHTSCRIBE_REDIS_URL: stack.redis.url, NIGHTSCRIBE_STORAGE: join(folder, 'data') }
  const { out } = await runCli(['doctor', '--json'], { env })
  const { findings } = JSON.parse(out) as {
    findings: { what: string; state: string; detail: string }[]
  }
  return findings.filter(({ what }) => what === 'redis')
}
