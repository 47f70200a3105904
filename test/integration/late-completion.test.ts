import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sourceAddress } from '../../src/pipeline/intake/source-address.js'
import { submitRecording } from '../../src/pipeline/intake/submit-recording.js'
import { cancelJob, retryJob, writeEnd } from '../../src/pipeline/lifecycle/end-job.js'
import { readFailure } from '../../src/pipeline/lifecycle/failure-record.js'
import { reconcileJobs } from '../../src/pipeline/lifecycle/reconcile-jobs.js'
import type { JobRecord } from '../../src/queue/index.js'
import { audioKey } from '../../src/storage/keys.js'
import { type DevStack, startDevStack } from '../dev-stack.js'
import { toneRecording } from '../fakes/tone-recording.js'
import { submitTo } from '../job-results.js'

const { signal } = new AbortController()
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-late-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** A job that is ready to be transcribed, and a way to have it done and gone from the queue. */
async function waitingJob(stack: DevStack) {
  const letGo = await stack.holdTranscriptions()
  await stack.startWorker()
  const recording = await toneRecording({ folder, seed: 71, count: 4 })
  const jobId = await submitTo(stack, 'a.wav', recording.bytes)
  await stack.until(jobId, ({ status }) => status === 'queued')
  const done = async () => {
    await letGo()
    await stack.ended([jobId])
    while (await stack.ports.queue.has(jobId, { signal })) await turn()
  }
  return { jobId, done }
}

/** Such a job, and ports whose queue has it done before it tells whether it has it. */
async function doneWhenAsked(stack: DevStack) {
  const { jobId, done } = await waitingJob(stack)
  const { queue } = stack.ports
  const has: typeof queue.has = async (id) => {
    await done()
    return await queue.has(id, { signal })
  }
  return { jobId, ports: { ...stack.ports, queue: Object.assign(Object.create(queue), { has }) } }
}

async function expectDoneOnce(stack: DevStack, jobId: string): Promise<void> {
  const record = await stack.ports.jobStore.get(jobId, { signal })
  expect(record).toMatchObject({ status: 'completed', attempt: 1 })
  expect(await stack.ports.queue.has(jobId, { signal })).toBe(false)
  expect(await stack.ports.store.head(audioKey(jobId), { signal }).catch(() => null)).toBeNull()
}

describe('a job that is done while somebody looks at it', () => {
  it('is not begun again by whoever listed its keys before', async () => {
    await using stack = await startDevStack()
    const { jobId, done } = await waitingJob(stack)
    const { store } = stack.ports
    const list: typeof store.list = async function* (prefix, options) {
      const keys = []
      for await (const entry of store.list(prefix, options)) keys.push(entry)
      await done()
      yield* keys
    }
    const ports = { ...stack.ports, store: Object.assign(Object.create(store), { list }) }
    expect(await reconcileJobs(ports, { signal })).toEqual([])
    await expectDoneOnce(stack, jobId)
  })

  it('is not begun again by whoever submits it', async () => {
    await using stack = await startDevStack()
    const { jobId, ports } = await doneWhenAsked(stack)
    const address = sourceAddress(stack.ports.store, 'in/a.wav')
    const how = {
      channels: 'mix',
      pace: 'max',
      priority: 0,
      deadlineAt: null,
      tenant: 'default',
    } as const
    const outcome = await submitRecording(ports, { ...address, ...how }, { signal })
    expect(outcome).toMatchObject({ kind: 'done', jobId })
    await expectDoneOnce(stack, jobId)
  })

  it('is not begun again by whoever wants it retried', async () => {
    await using stack = await startDevStack()
    const { jobId, ports } = await doneWhenAsked(stack)
    await expect(retryJob(ports, jobId, { signal })).rejects.toThrow('is done')
    await expectDoneOnce(stack, jobId)
  })

  it('stays done for whoever cancels it', async () => {
    await using stack = await startDevStack()
    const { jobId, done } = await waitingJob(stack)
    const { jobStore } = stack.ports
    const requestCancel: typeof jobStore.requestCancel = async (id) => {
      await done()
      await jobStore.requestCancel(id, { signal })
    }
    const ports = {
      ...stack.ports,
      jobStore: Object.assign(Object.create(jobStore), { requestCancel }),
    }
    expect(await cancelJob(ports, jobId, { signal })).toBe('ended')
    await expectDoneOnce(stack, jobId)
  })
})

describe('a job that has ended', () => {
  it('stays done where Redis has forgotten that, and it is then given up', async () => {
    await using stack = await startDevStack()
    const { jobId, done } = await waitingJob(stack)
    await done()
    const { jobStore, redis, store } = stack.ports
    const told = await jobStore.get(jobId, { signal })
    const before = { status: '"running"', audioMsDone: '40', attempts: '0', fence: 'null' }
    await redis.hset(`nightscribe:job:${jobId}`, before)
    await writeEnd(
      stack.ports,
      jobId,
      { kind: 'canceled' },
      await jobStore.get(jobId, { signal }),
      { signal },
    )
    await expectDoneOnce(stack, jobId)
    expect(await jobStore.get(jobId, { signal })).toEqual({
      ...told,
      updatedAtMs: expect.any(Number),
    })
    expect(await readFailure(store, jobId, { signal })).toBeNull()
  })

  it('is told to have by whoever cancels it where Redis has forgotten that', async () => {
    await using stack = await startDevStack()
    const { jobId, done } = await waitingJob(stack)
    await done()
    await stack.ports.redis.hset(`nightscribe:job:${jobId}`, { status: '"running"' })
    expect(await cancelJob(stack.ports, jobId, { signal })).toBe('ended')
    await expectDoneOnce(stack, jobId)
  })

  it('is not ended again by whoever read its card before a new start', async () => {
    await using stack = await startDevStack()
    const { jobStore, redis, queue } = stack.ports
    const jobId = await submitTo(stack, 'b.wav', Buffer.from('no recording at all'))
    const worker = await stack.startWorker()
    await stack.ended([jobId])
    while (await queue.has(jobId, { signal })) await turn()
    await worker.drain()
    await redis.hset(`nightscribe:job:${jobId}`, { status: '"probing"' })
    // It is started again between the two looks of whoever compares cards with storage.
    const { store } = stack.ports
    const get: typeof store.get = async (key, options) => {
      const found = await store.get(key, options)
      if (key.endsWith('/failure.json')) await retryJob(stack.ports, jobId, { signal })
      return found
    }
    const ports = { ...stack.ports, store: Object.assign(Object.create(store), { get }) }
    await reconcileJobs(ports, { signal })
    expect(await jobStore.get(jobId, { signal })).toMatchObject({ status: 'created', error: null })
    expect(await queue.has(jobId, { signal })).toBe(true)
  })

  it('is told to have, also when Redis has forgotten the last that was written', async () => {
    await using stack = await startDevStack()
    await stack.startWorker()
    const recording = await toneRecording({ folder, seed: 72, count: 4 })
    const done = await submitTo(stack, 'a.wav', recording.bytes)
    const failed = await submitTo(stack, 'b.wav', Buffer.from('no recording at all'))
    const records = await stack.ended([done, failed])
    for (const jobId of [done, failed]) {
      while (await stack.ports.queue.has(jobId, { signal })) await turn()
      // As a Redis does that is killed and starts on what it has on disk.
      const before = { status: '"admitted"', error: 'null', audioMsDone: '0', attempts: '0' }
      await stack.ports.redis.hset(`nightscribe:job:${jobId}`, before)
    }
    await stack.ports.redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    for (const [at, jobId] of [done, failed].entries()) {
      const { status, error, audioMsDone } = records[at] as JobRecord
      const record = await stack.until(jobId, (seen) => seen.status === status)
      expect(record).toMatchObject({ error, audioMsDone })
    }
  })
})
