import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Condition } from '../../src/kernel/condition.js'
import { InputError, UpstreamError } from '../../src/kernel/errors.js'
import type { Attempt } from '../../src/queue/index.js'
import { connectRedis } from '../../src/redis/redis-connection.js'
import { openTestQueue } from '../fakes/test-queue.js'
import { startTestRedis, type TestRedis } from '../fakes/test-redis.js'

let server: TestRedis
const open = new AbortController().signal
const newQueue = (attemptsMax?: number) => openTestQueue(server, attemptsMax)

beforeAll(async () => {
  server = await startTestRedis()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

describe('the queue on a real Redis', () => {
  it('gives each of 50 jobs to one of two workers, once', async () => {
    const { queue, startWorker, until, close } = await newQueue()
    const runs: string[] = []
    const run = async ({ jobId, assertOwned }: Attempt) => {
      await assertOwned()
      runs.push(jobId)
    }
    const ids = Array.from({ length: 50 }, (_, index) => `job${index}`)
    for (const id of [...ids, ...ids])
      await queue.enqueue('transcribe', id, { priority: 0, signal: open })
    await startWorker(run)
    await startWorker(run)
    await until(() => runs.length >= 50)
    await close()
    expect(runs.length).toBe(50)
    expect([...new Set(runs)].sort()).toEqual([...ids].sort())
  })

  it('serves higher priority first, and equals in order', async () => {
    const { queue, startWorker, until, close } = await newQueue()
    const runs: string[] = []
    for (const [id, priority] of [
      ['low', 0],
      ['high', 900],
      ['mid', 5],
      ['mid2', 5],
    ] as const) {
      await queue.enqueue('transcribe', id, { priority, signal: open })
    }
    await startWorker(async ({ jobId }) => void runs.push(jobId), { concurrency: 1 })
    await until(() => runs.length === 4)
    await close()
    expect(runs).toEqual(['high', 'mid', 'mid2', 'low'])
  })

  it('tries again what may succeed, fails at once what cannot, and frees the id for a new try', async () => {
    const { queue, ends, startWorker, until, close } = await newQueue()
    const numbers: Record<string, number[]> = { flaky: [], bad: [], hopeless: [] }
    await startWorker(async ({ jobId, failuresSinceProgress }) => {
      numbers[jobId]?.push(failuresSinceProgress + 1)
      if (jobId === 'bad') throw new InputError('media_corrupt', 'It is no audio.')
      if (jobId === 'hopeless' || failuresSinceProgress === 0)
        throw new UpstreamError('engine_crashed', 'Gone.')
    })
    for (const id of ['flaky', 'bad', 'hopeless']) {
      await queue.enqueue('transcribe', id, { priority: 0, signal: open })
    }
    await until(
      () =>
        numbers.flaky?.length === 2 && ends.filter(({ end }) => end.kind === 'failed').length === 2,
    )
    expect(numbers).toEqual({ flaky: [1, 2], bad: [1], hopeless: [1, 2, 3] })
    const failed = ends.filter(({ end }) => end.kind === 'failed')
    expect(failed).toContainEqual({
      jobId: 'bad',
      end: {
        kind: 'failed',
        error: {
          code: 'media_corrupt',
          detail: 'It is no audio.',
          retryable: false,
          stage: 'transcribe',
        },
        failuresSinceProgress: 1,
      },
    })
    while (await queue.has('bad', { signal: open }))
      await new Promise((resolve) => setImmediate(resolve))
    await queue.enqueue('transcribe', 'bad', { priority: 0, signal: open })
    await until(() => numbers.bad?.length === 2)
    await close()
  })

  it('counts tries anew whenever audio was made safe, and ends only what stands still', async () => {
    const { queue, ends, startWorker, until, close } = await newQueue(3)
    const safe = [0, 0, 60_000, 60_000, 60_000] // after each try; the third one got somewhere
    const numbers: number[] = []
    await startWorker(
      async ({ failuresSinceProgress }) => {
        numbers.push(failuresSinceProgress + 1)
        throw new UpstreamError('engine_crashed', 'Gone.')
      },
      { checkpointedAudioMs: async () => safe[numbers.length - 1] ?? 0 },
    )
    await queue.enqueue('transcribe', 'long', { priority: 0, signal: open })
    await until(() => ends.some(({ end }) => end.kind === 'failed'))
    await close()
    expect(numbers).toEqual([1, 2, 3, 2, 3])
    const counted = ends.map(({ end }) =>
      'failuresSinceProgress' in end ? end.failuresSinceProgress : null,
    )
    expect(counted).toEqual([1, 2, 1, 2, 3])
    expect(ends.at(-1)?.end).toMatchObject({ kind: 'failed', error: { retryable: true } })
  })

  it.each([
    ['so often that it is set aside', 6, 0, 'worker_lost'],
    ['often, but audio was made safe in between', 6, 500, null],
    ['as often as may be', 5, 0, null],
  ])('a job that lost its worker %s', async (_, stalls, checkpointedAudioMs, code) => {
    const { queue, ends, startWorker, until, close, redis, prefix } = await newQueue()
    await queue.enqueue('transcribe', 'killer', { priority: 0, signal: open })
    const entry = `${prefix}:transcribe:killer`
    const progress = {
      failuresSinceProgress: 2,
      takeovers: 3,
      stallsSeen: 5,
      checkpointedAudioMs: 0,
    }
    const tries = checkpointedAudioMs > 0 ? progress : undefined
    await redis.hset(entry, 'stc', stalls, 'data', JSON.stringify({ jobId: 'killer', tries }))
    const numbers: number[] = []
    const taken: number[] = []
    await startWorker(
      async ({ failuresSinceProgress }) => void numbers.push(failuresSinceProgress + 1),
      {
        checkpointedAudioMs: async () => checkpointedAudioMs,
        takenOver: (_jobId, takeovers) => void taken.push(takeovers),
      },
    )
    await until(() => numbers.length + ends.length > 0)
    await close()
    expect(numbers).toEqual(code === null ? [1] : [])
    expect(taken).toEqual([checkpointedAudioMs > 0 ? 1 : stalls])
    const failed = { kind: 'failed', error: { code, retryable: true } }
    expect(ends.map(({ end }) => end)).toMatchObject(code === null ? [] : [failed])
  })

  it('tells of a bug, fails its job alone, and goes on', async () => {
    const { queue, ends, startWorker, until, close } = await newQueue()
    const bugs: string[] = []
    const done: string[] = []
    await startWorker(
      async ({ jobId }) => {
        if (jobId === 'odd') throw new TypeError('x is not a function')
        done.push(jobId)
      },
      { observer: { bug: (jobId) => void bugs.push(jobId), trouble: () => {} } },
    )
    for (const id of ['odd', 'even'])
      await queue.enqueue('transcribe', id, { priority: 0, signal: open })
    await until(() => done.length + ends.length === 2)
    await close()
    expect([bugs, done]).toEqual([['odd'], ['even']])
    expect(ends).toMatchObject([
      {
        jobId: 'odd',
        end: { error: { code: 'internal', retryable: false }, failuresSinceProgress: 1 },
      },
    ])
  })

  it('cancels what runs through its signal, and what waits by taking it out', async () => {
    const { queue, ends, startWorker, until, close } = await newQueue()
    await queue.enqueue('transcribe', 'runs', { priority: 1, signal: open })
    await queue.enqueue('transcribe', 'waits', { priority: 0, signal: open })
    const started = new Condition()
    let running = false
    const worker = await startWorker(
      ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason), { once: true })
          running = true
          started.notifyAll()
        }),
      { concurrency: 1 },
    )
    if (!running) await started.wait(open)
    expect(await queue.remove('waits', { signal: open })).toBe(true)
    expect(await queue.remove('runs', { signal: open })).toBe(false)
    expect(worker.cancel('runs')).toBe(true)
    expect(worker.cancel('waits')).toBe(false)
    await until(() => ends.length === 1)
    await close()
    expect(ends).toEqual([{ jobId: 'runs', end: { kind: 'canceled' } }])
  })

  it('hands back what runs on abort; another worker runs it, and it costs no try', async () => {
    const { queue, ends, startWorker, until, close } = await newQueue(1)
    await queue.enqueue('transcribe', 'long', { priority: 0, signal: open })
    const started = new Condition()
    let running = false
    const first = await startWorker(
      ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason), { once: true })
          running = true
          started.notifyAll()
        }),
    )
    if (!running) await started.wait(open)
    await first.drain()
    expect(new Set(ends.map(({ end }) => end.kind))).toEqual(new Set(['handed-back']))
    const done: number[] = []
    await startWorker(
      async ({ failuresSinceProgress }) => void done.push(failuresSinceProgress + 1),
    )
    await until(() => done.length === 1)
    await close()
    expect(done).toEqual([1])
  })

  it('tells an attempt that it lost its job', async () => {
    const { queue, startWorker, until, close, redis, prefix } = await newQueue()
    await queue.enqueue('transcribe', 'stolen', { priority: 0, signal: open })
    let thrown: unknown
    let runs = 0
    await startWorker(async ({ assertOwned }) => {
      runs += 1
      if (runs > 1) return
      await redis.set(`${prefix}:transcribe:stolen:lock`, 'somebody else')
      thrown = await assertOwned().catch((error) => error)
    })
    await until(() => runs >= 1)
    await close()
    expect(thrown).toMatchObject({ name: 'StopRequested' })
  })
})

describe('a Redis that is not there', () => {
  it.each([
    ['unix:///nowhere/redis.sock', 'UpstreamError', 'queue_unavailable'],
    ['redis://user:secret@127.0.0.1:1/0', 'UpstreamError', 'queue_unavailable'],
    ['http://127.0.0.1', 'ConfigError', 'config_invalid'],
  ])('%s is one sentence without the password', async (url, name, code) => {
    const refused = connectRedis({ url }, { signal: open, onError: () => {} })
    const error = await refused.catch((thrown) => thrown)
    expect(error).toMatchObject({ name, code })
    expect(error.message).toContain('NIGHTSCRIBE_REDIS_URL')
    expect(error.message).not.toContain('secret')
  })
})
