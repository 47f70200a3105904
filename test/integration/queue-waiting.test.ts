import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CapacityError, UpstreamError } from '../../src/kernel/errors.js'
import { OPEN } from '../fakes/open-signal.js'
import { openTestQueue } from '../fakes/test-queue.js'
import { startTestRedis, type TestRedis } from '../fakes/test-redis.js'

let server: TestRedis
const newQueue = (attemptsMax?: number) => openTestQueue(server, attemptsMax)

beforeAll(async () => {
  server = await startTestRedis()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

/** What an attempt throws that finds no room. */
const noRoom = (retryAfterMs: number) =>
  new CapacityError('engine_overloaded', 'No KV blocks are free.', {
    retryAfterMs,
    place: 3,
    expectedStartAtMs: 9_000,
  })
const waiting = { place: 3, expectedStartAtMs: 9_000, reason: 'No KV blocks are free.' }
const HOUR_MS = 3_600_000

describe('a job that waits for room', () => {
  it('comes back by itself, costs no try however often, and is told with its place', async () => {
    const { queue, ends, startWorker, until, close } = await newQueue(1)
    const numbers: number[] = []
    await queue.enqueue('transcribe', 'job', { priority: 0, ...OPEN })
    await startWorker(async ({ failuresSinceProgress }) => {
      numbers.push(failuresSinceProgress + 1)
      if (numbers.length <= 5) throw noRoom(1)
      throw new UpstreamError('engine_crashed', 'Gone.')
    })
    await until(() => ends.length === 6)
    await close()
    expect(numbers).toEqual([1, 1, 1, 1, 1, 1])
    expect(ends.slice(0, 5)).toEqual(
      Array.from({ length: 5 }, () => ({ jobId: 'job', end: { kind: 'waiting', waiting } })),
    )
    expect(ends[5]?.end.kind).toBe('failed') // the one try that it had
  })

  it('is promoted to whichever worker is there, and only while it is delayed', async () => {
    const { queue, ends, startWorker, until, close } = await newQueue()
    await queue.enqueue('transcribe', 'job', { priority: 0, ...OPEN })
    expect(await queue.promote('transcribe', 'job', OPEN)).toBe(false) // stands before the workers
    expect(await queue.promote('transcribe', 'nobody', OPEN)).toBe(false)
    const first = await startWorker(async () => {
      throw noRoom(HOUR_MS)
    })
    await until(() => ends.length === 1)
    await first.drain() // it has moved the job when it is gone
    const ran: string[] = []
    let atRun: boolean | null = null
    await startWorker(async ({ jobId }) => {
      atRun = await queue.promote('transcribe', jobId, OPEN)
      ran.push(jobId)
    })
    expect(await queue.has('job', OPEN)).toBe(true)
    expect(await queue.promote('transcribe', 'job', OPEN)).toBe(true)
    await until(() => ran.length === 1)
    await close()
    expect([ran, atRun]).toEqual([['job'], false])
  })

  it('keeps its priority: promoted, the more urgent one goes first', async () => {
    const { queue, ends, startWorker, until, close } = await newQueue()
    const ids = ['low', 'high', 'mid']
    for (const [index, id] of ids.entries()) {
      await queue.enqueue('transcribe', id, { priority: [0, 900, 5][index] ?? 0, ...OPEN })
    }
    const first = await startWorker(async () => {
      throw noRoom(HOUR_MS)
    })
    await until(() => ends.length === 3)
    await first.drain()
    for (const id of ids) expect(await queue.promote('transcribe', id, OPEN)).toBe(true)
    const runs: string[] = []
    await startWorker(async ({ jobId }) => void runs.push(jobId), { concurrency: 1 })
    await until(() => runs.length === 3)
    await close()
    expect(runs).toEqual(['high', 'mid', 'low'])
  })

  it('is taken out when it is canceled, and cancels an attempt that finds no room', async () => {
    const { queue, ends, startWorker, until, close } = await newQueue()
    for (const id of ['waits', 'canceled'])
      await queue.enqueue('transcribe', id, { priority: 0, ...OPEN })
    const worker = await startWorker(async ({ jobId, signal }) => {
      if (jobId === 'canceled') worker.cancel(jobId)
      expect(signal.aborted).toBe(jobId === 'canceled')
      throw noRoom(HOUR_MS)
    })
    await until(() => ends.length === 2)
    await worker.drain()
    expect(ends.find(({ jobId }) => jobId === 'canceled')?.end).toEqual({ kind: 'canceled' })
    expect(await queue.remove('waits', OPEN)).toBe(true)
    expect(await queue.has('waits', OPEN)).toBe(false)
    await close()
  })

  it('comes back at once when it is canceled while it is put aside', async () => {
    const { queue, ends, startWorker, until, close } = await newQueue()
    await queue.enqueue('transcribe', 'job', { priority: 0, ...OPEN })
    let runs = 0
    const worker = await startWorker(
      async () => {
        runs += 1
        if (runs === 1) throw noRoom(HOUR_MS)
      },
      {
        writeEnd: async (jobId, end) => {
          worker.cancel(jobId)
          ends.push({ jobId, end })
        },
      },
    )
    await until(() => runs === 2)
    await close()
    expect(ends.map(({ end }) => end.kind)).toEqual(['waiting'])
  })

  it('leaves a job alone that it has lost to another worker', async () => {
    const { queue, ends, startWorker, until, close, redis, prefix } = await newQueue()
    await queue.enqueue('transcribe', 'stolen', { priority: 0, ...OPEN })
    let thrown = false
    await startWorker(async () => {
      await redis.set(`${prefix}:transcribe:stolen:lock`, 'somebody else')
      thrown = true
      throw noRoom(HOUR_MS)
    })
    await until(() => thrown)
    await close()
    expect(ends).toEqual([])
    expect(await redis.zcard(`${prefix}:transcribe:delayed`)).toBe(0)
  })

  it('is put aside even where that could not be written down', async () => {
    const errors: Error[] = []
    const { queue, startWorker, until, close, redis, prefix } = await newQueue()
    await queue.enqueue('transcribe', 'job', { priority: 0, ...OPEN })
    let ran = false
    const worker = await startWorker(
      async () => {
        ran = true
        throw noRoom(HOUR_MS)
      },
      {
        writeEnd: async () => {
          throw new UpstreamError('queue_unavailable', 'The board is away.')
        },
        observer: { bug: () => {}, trouble: (error) => void errors.push(error) },
      },
    )
    await until(() => ran)
    await worker.drain()
    expect(await redis.zcard(`${prefix}:transcribe:delayed`)).toBe(1)
    expect(errors.map(({ message }) => message)).toEqual(['The board is away.'])
    await close()
  })
})

describe('a worker that holds a thousand jobs', () => {
  it('has all of them at once, keeps their locks, and takes a promoted one beside them', async () => {
    const { queue, ends, startWorker, until, close, redis, prefix } = await newQueue()
    const ids = Array.from({ length: 1_000 }, (_, index) => `job${index}`)
    await Promise.all(ids.map((id) => queue.enqueue('transcribe', id, { priority: 0, ...OPEN })))
    const running = new Set<string>()
    const done = new Set<string>()
    let letThemGo = () => {}
    const gone = new Promise<void>((resolve) => {
      letThemGo = resolve
    })
    let promoted = false
    await startWorker(
      async ({ jobId, assertOwned }) => {
        if (jobId === 'more' && !promoted) throw noRoom(HOUR_MS)
        running.add(jobId)
        if (running.size === 1_000)
          await queue.enqueue('transcribe', 'more', { priority: 0, ...OPEN })
        if (jobId === 'more') letThemGo()
        await gone
        await assertOwned()
        done.add(jobId)
      },
      { concurrency: 1_001, lockDurationMs: 10_000, stalledIntervalMs: 500 },
    )
    await until(() => ends.length === 1)
    await renewed(redis, `${prefix}:transcribe:job0:lock`)
    await renewed(redis, `${prefix}:transcribe:job999:lock`)
    expect(done.size).toBe(0)
    promoted = true
    while (!(await queue.promote('transcribe', 'more', OPEN))); // its move follows what was told
    await until(() => done.size === 1_001)
    await close()
    expect([...running].sort()).toEqual([...ids, 'more'].sort())
    expect(ends).toEqual([{ jobId: 'more', end: { kind: 'waiting', waiting } }])
  })
})

/** Resolves once the life that a lock has left has grown. */
async function renewed(redis: Redis, lock: string): Promise<void> {
  let leftMs = await redis.pttl(lock)
  for (let before = leftMs; leftMs <= before; ) {
    before = leftMs
    leftMs = await redis.pttl(lock)
    expect(leftMs).toBeGreaterThan(0)
  }
}
