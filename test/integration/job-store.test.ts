import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/kernel/clock.js'
import { HISTORY_ENTRIES_MAX } from '../../src/queue/contract/job-history.js'
import { forgottenJobs, removeForgotten } from '../../src/queue/redis-job-index.js'
import { RedisJobStore } from '../../src/queue/redis-job-store.js'
import { allOf } from '../fakes/all-of.js'
import { recordOf } from '../fakes/job-record.js'
import { startTestRedis, type TestRedis } from '../fakes/test-redis.js'

let server: TestRedis
const open = new AbortController().signal
const waiting = { place: 3, expectedStartAtMs: 9_000, reason: 'No KV blocks are free.' }

beforeAll(async () => {
  server = await startTestRedis()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

describe('the board on a real Redis', () => {
  async function newJobStore() {
    const commands = await server.commands(`b${randomBytes(6).toString('hex')}`)
    const { redis, prefix } = commands
    const jobStore = new RedisJobStore(commands, { keptMs: 60_000, clock: systemClock() })
    return { commands, redis, prefix, jobStore }
  }

  it('keeps cards, notes when each status was first reached, and lists the newest first', async () => {
    const { jobStore } = await newJobStore()
    await jobStore.create(recordOf('one'), { signal: open })
    await jobStore.create({ ...recordOf('two'), createdAtMs: 2_000 }, { signal: open })
    await jobStore.update('one', { status: 'running', audioMsDone: 80 }, { signal: open })
    await jobStore.update('gone', { status: 'running' }, { signal: open })
    const one = await jobStore.get('one', { signal: open })
    expect(one).toMatchObject({ status: 'running', audioMsDone: 80, sourceName: 'a\nb.wav' })
    expect(one?.reachedAtMs.running).toBeGreaterThan(1_000)
    expect(await jobStore.get('gone', { signal: open })).toBeNull()
    expect(
      (await jobStore.list({ tenant: 'default', limit: 10 }, { signal: open })).map(
        ({ jobId }) => jobId,
      ),
    ).toEqual(['two', 'one'])
    expect(await jobStore.list({ tenant: 'default', limit: 1 }, { signal: open })).toHaveLength(1)
  })

  it('lists the jobs of each tenant by themselves, and looks through those of all', async () => {
    const { commands, jobStore, redis, prefix } = await newJobStore()
    await jobStore.create(recordOf('one'), { signal: open })
    await jobStore.create({ ...recordOf('two'), tenant: 'other' }, { signal: open })
    const listed = async (tenant: string) =>
      (await jobStore.list({ tenant, limit: 10 }, { signal: open })).map(({ jobId }) => jobId)
    expect(await listed('default')).toEqual(['one'])
    expect(await listed('other')).toEqual(['two'])
    expect(await listed('nobody')).toEqual([])
    expect((await allOf(jobStore.openIds({ signal: open }))).sort()).toEqual(['one', 'two'])
    expect(await redis.exists(`${prefix}:jobs:default`)).toBe(0)
    await redis.del(`${prefix}:job:two`)
    const forgotten = await allOf(forgottenJobs(commands, { signal: open }))
    expect(forgotten).toEqual([{ jobId: 'two', tenant: 'other', createdMs: 1_000 }])
    await removeForgotten(commands, { jobId: 'two', tenant: 'other' }, { signal: open })
    expect(await allOf(forgottenJobs(commands, { signal: open }))).toEqual([])
  })

  it('says what a job waits for until its status changes, and reads cards that lack it', async () => {
    const { jobStore, redis, prefix } = await newJobStore()
    await jobStore.create(recordOf('one'), { signal: open })
    await jobStore.update('one', { status: 'queued', waiting }, { signal: open })
    await jobStore.update('one', { audioMsDone: 80 }, { signal: open })
    expect(await jobStore.get('one', { signal: open })).toMatchObject({ status: 'queued', waiting })
    await jobStore.update('one', { status: 'admitted' }, { signal: open })
    expect((await jobStore.get('one', { signal: open }))?.waiting).toBeNull()
    await redis.hdel(`${prefix}:job:one`, 'waiting')
    expect(await jobStore.get('one', { signal: open })).toMatchObject({
      jobId: 'one',
      waiting: null,
    })
  })

  it('keeps the newest notes of a job, also when it starts again, as long as its card', async () => {
    const { jobStore, redis, prefix } = await newJobStore()
    await jobStore.create(recordOf('one'), { signal: open })
    for (let times = 1; times <= HISTORY_ENTRIES_MAX + 5; times += 1) {
      await jobStore.appendHistory(
        'one',
        {
          kind: 'taken-over',
          takeovers: times,
          checkpointedAudioMs: 0,
        },
        { signal: open },
      )
    }
    await jobStore.create(recordOf('one'), { signal: open })
    const notes = (await jobStore.history('one', { signal: open })).map(({ entry }) => entry)
    expect(notes).toHaveLength(HISTORY_ENTRIES_MAX)
    expect(notes.at(-1)).toMatchObject({ takeovers: HISTORY_ENTRIES_MAX + 5 })
    await redis.rpush(`${prefix}:history:one`, '{"of":"another release"}')
    expect(await jobStore.history('one', { signal: open })).toHaveLength(HISTORY_ENTRIES_MAX)
    expect(await redis.pttl(`${prefix}:history:one`)).toBe(-1)
    await jobStore.update('one', { status: 'failed' }, { signal: open })
    expect(await redis.pttl(`${prefix}:history:one`)).toBeGreaterThan(0)
    expect(await jobStore.history('nobody', { signal: open })).toEqual([])
  })

  it('notes the same trouble of a session many times in a row as one', async () => {
    const { jobStore } = await newJobStore()
    await jobStore.create(recordOf('one'), { signal: open })
    for (const engine of ['a:1', 'a:1', 'a:1', 'b:1', 'a:1']) {
      await jobStore.appendHistory(
        'one',
        {
          kind: 'session-broke',
          engine,
          code: 'engine_crashed',
          times: 1,
        },
        { signal: open },
      )
    }
    const told = (await jobStore.history('one', { signal: open })).map(
      ({ entry }) => entry.kind === 'session-broke' && [entry.engine, entry.times],
    )
    expect(told).toEqual([
      ['a:1', 3],
      ['b:1', 1],
      ['a:1', 1],
    ])
  })

  it('begins again with a new card alone', async () => {
    const { jobStore } = await newJobStore()
    await jobStore.create(recordOf('one'), { signal: open })
    await jobStore.update('one', { status: 'failed' }, { signal: open })
    // By a worker that slept too long.
    await jobStore.update('one', { status: 'admitted', fence: 2 }, { signal: open })
    expect(await jobStore.get('one', { signal: open })).toMatchObject({
      status: 'failed',
      fence: null,
    })
    await jobStore.update('one', { status: 'completed' }, { signal: open })
    await jobStore.update('one', { status: 'canceled' }, { signal: open })
    expect(await jobStore.get('one', { signal: open })).toMatchObject({ status: 'completed' })
    expect(
      await jobStore.events('one', { afterId: '0', limit: 10 }, { signal: open }),
    ).toHaveLength(2)
  })

  it('loses no note of two that come at once', async () => {
    const { jobStore } = await newJobStore()
    await jobStore.create(recordOf('one'), { signal: open })
    const broke = {
      kind: 'session-broke',
      engine: 'a:1',
      code: 'engine_crashed',
      times: 1,
    } as const
    await jobStore.appendHistory('one', broke, { signal: open })
    await Promise.all([
      jobStore.appendHistory('one', { kind: 'handed-back' }, { signal: open }),
      jobStore.appendHistory('one', broke, { signal: open }),
    ])
    const kinds = (await jobStore.history('one', { signal: open })).map(({ entry }) => entry.kind)
    expect(kinds).toEqual(['session-broke', 'handed-back', 'session-broke'])
  })

  it('streams events in order, from where a reader was', async () => {
    const { jobStore } = await newJobStore()
    await jobStore.create(recordOf('one'), { signal: open })
    await jobStore.publish(
      'one',
      { type: 'text', channel: null, endMs: 240, text: ' had' },
      { signal: open },
    )
    await jobStore.update('one', { status: 'completed' }, { signal: open })
    const all = await jobStore.events('one', { afterId: '0', limit: 10 }, { signal: open })
    expect(all.map(({ event }) => event.type)).toEqual(['text', 'status'])
    const rest = await jobStore.events(
      'one',
      { afterId: all[0]?.id ?? '', limit: 10 },
      { signal: open },
    )
    expect(rest.map(({ event }) => event.type)).toEqual(['status'])
  })

  it('lets ended jobs expire and running ones not', async () => {
    const { jobStore, redis, prefix } = await newJobStore()
    await jobStore.create(recordOf('one'), { signal: open })
    expect(await redis.pttl(`${prefix}:job:one`)).toBe(-1)
    await jobStore.update('one', { status: 'failed' }, { signal: open })
    expect(await redis.pttl(`${prefix}:job:one`)).toBeGreaterThan(0)
    await jobStore.create(recordOf('one'), { signal: open })
    expect(await redis.pttl(`${prefix}:job:one`)).toBe(-1)
  })

  it('gives each fence once, above what lies in storage, whoever asks', async () => {
    const { jobStore } = await newJobStore()
    const asked = [0, 0, 7, 7, 3, 0].map((floor) =>
      jobStore.nextFence('one', floor, { signal: open }),
    )
    const fences = await Promise.all(asked)
    expect(new Set(fences).size).toBe(fences.length)
    expect(fences[2]).toBeGreaterThan(7)
    expect(fences[3]).toBeGreaterThan(7)
  })

  it('passes cancel requests on', async () => {
    const { jobStore } = await newJobStore()
    await jobStore.create(recordOf('one'), { signal: open })
    const stop = new AbortController()
    const heard = new Promise((resolve) => {
      void jobStore
        .onCancel(resolve, { signal: stop.signal })
        .then(() => jobStore.requestCancel('one', { signal: open }))
    })
    expect(await heard).toBe('one')
    expect((await jobStore.get('one', { signal: open }))?.cancelRequested).toBe(true)
    stop.abort()
  })
})
