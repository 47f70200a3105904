import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { OPEN } from '../fakes/open-signal.js'
import { openTestQueue } from '../fakes/test-queue.js'
import { startTestRedis, type TestRedis } from '../fakes/test-redis.js'

let server: TestRedis

beforeAll(async () => {
  server = await startTestRedis()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

// Both were found by the chaos run (test/bench/chaos.ts): in a night in which workers die all the
// time, jobs that only waited were set aside for it, and a worker that woke up to a job that was
// gone took that for a bug, failed and ended.
describe('jobs of workers that are lost', () => {
  it.each([
    ['only waited for room', 0, []],
    ['was at work each time, but its end was told', 6, []],
    ['was at work the last time', 7, [1]],
  ])('a job that %s while six workers were lost is not set aside', async (_, begun, told) => {
    const { queue, ends, startWorker, until, close, redis, prefix } = await openTestQueue(server)
    await queue.enqueue('transcribe', 'bystander', { priority: 0, ...OPEN })
    const tries = {
      failuresSinceProgress: 0,
      takeovers: 0,
      stallsSeen: 0,
      begunSeen: 6,
      checkpointedAudioMs: 0,
    }
    const data = JSON.stringify({ jobId: 'bystander', tries })
    await redis.hset(`${prefix}:transcribe:bystander`, 'stc', 6, 'data', data)
    const numbers: number[] = []
    const taken: number[] = []
    await startWorker(
      async ({ failuresSinceProgress }) => void numbers.push(failuresSinceProgress + 1),
      {
        fence: begun,
        takenOver: (_jobId, takeovers) => void taken.push(takeovers),
      },
    )
    await until(() => numbers.length + ends.length > 0)
    await close()
    expect(numbers).toEqual([1])
    expect(taken).toEqual(told)
    expect(ends).toEqual([])
  })

  it('leaves a job alone that has ended and is gone while this worker slept', async () => {
    const { queue, ends, startWorker, until, close, redis, prefix } = await openTestQueue(server)
    await queue.enqueue('transcribe', 'gone', { priority: 0, ...OPEN })
    const entry = `${prefix}:transcribe:gone`
    await redis.hset(entry, 'stc', 1)
    const ran: string[] = []
    const bugs: string[] = []
    await startWorker(async ({ jobId }) => void ran.push(jobId), {
      concurrency: 1, // the next one begins when this one is over
      async checkpointedAudioMs(jobId) {
        if (jobId === 'gone') await redis.del(entry, `${entry}:lock`) // another worker ended it
        return 0
      },
      observer: { bug: (jobId) => void bugs.push(jobId), trouble: () => {} },
    })
    await queue.enqueue('transcribe', 'next', { priority: 0, ...OPEN })
    await until(() => ran.includes('next'))
    await close()
    expect({ ran, bugs, ends }).toEqual({ ran: ['next'], bugs: [], ends: [] })
  })
})
