import { randomBytes } from 'node:crypto'
import { createServer } from 'node:net'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { RedisEngineActivity } from '../../src/admission/store/redis-engine-activity.js'
import { RedisLedgerStore } from '../../src/admission/store/redis-ledger-store.js'
import { RedisWaitingList } from '../../src/admission/store/redis-waiting-list.js'
import { RedisWorkerHeartbeats } from '../../src/admission/store/redis-worker-heartbeats.js'
import { CleanupStack } from '../../src/kernel/cleanup-stack.js'
import { StopRequested } from '../../src/kernel/errors.js'
import { freshEntries } from '../../src/redis/fresh-entries.js'
import { RedisCommands } from '../../src/redis/redis-commands.js'
import { StepClock } from '../fakes/step-clock.js'
import { startTestRedis, type TestRedis } from '../fakes/test-redis.js'
import { ledgerStoreContract, numberedLedger, waiterOf } from './ledger-store.js'

const signal = new AbortController().signal
const options = { signal }
const newPrefix = () => `l${randomBytes(6).toString('hex')}`

ledgerStoreContract('redis', async () => {
  const server = await startTestRedis()
  return {
    async fresh() {
      const prefix = newPrefix()
      const redis = await server.connect()
      return {
        async connect() {
          const shared = await server.commands(prefix)
          return {
            ledgers: new RedisLedgerStore(shared),
            waiting: new RedisWaitingList(shared),
            heartbeats: new RedisWorkerHeartbeats(shared),
            activities: new RedisEngineActivity(shared),
          }
        },
        elapse: (durationMs) => age(redis, prefix, durationMs),
      }
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
})

/** Moves all times below a prefix into the past: of expiring keys, of waiters and of pulses. */
async function age(redis: Redis, prefix: string, durationMs: number): Promise<void> {
  for (const key of await redis.keys(`${prefix}:*`)) {
    const leftMs = await redis.pttl(key)
    if (leftMs >= 0 && leftMs <= durationMs) await redis.del(key)
    else if (leftMs >= 0) await redis.pexpire(key, leftMs - durationMs)
    if (!/:(waiters|pulses:.*)$/.test(key)) continue
    for (const [field, json] of Object.entries(await redis.hgetall(key))) {
      const entry = JSON.parse(json)
      for (const name of ['renewedMs', 'atMs']) if (name in entry) entry[name] -= durationMs
      await redis.hset(key, field, JSON.stringify(entry))
    }
  }
}

describe('what only Redis can do', () => {
  let server: TestRedis
  beforeAll(async () => {
    server = await startTestRedis()
  })
  afterAll(async () => await server?.[Symbol.asyncDispose]())
  async function newShared() {
    return await server.commands(newPrefix())
  }

  it('parses a ledger once for each change', async () => {
    const shared = await newShared()
    const [writer, reader] = [new RedisLedgerStore(shared), new RedisLedgerStore(shared)]
    const revision = await writer.write('e', numberedLedger(1), { revision: 0, signal })
    const first = await reader.read('e', options)
    const again = await reader.read('e', options)
    expect(again.ledger).toBe(first.ledger)
    expect(again.nowMs).toBeGreaterThanOrEqual(first.nowMs)
    await writer.write('e', numberedLedger(2), { revision: revision ?? 0, signal })
    expect((await reader.read('e', options)).ledger).toEqual(numberedLedger(2))
  })

  it('takes no ledger for another after Redis has forgotten its last writes', async () => {
    const shared = await newShared()
    const key = `${shared.prefix}:ledger:e`
    const [one, other] = [new RedisLedgerStore(shared), new RedisLedgerStore(shared)]
    await one.write('e', numberedLedger(1), { revision: 0, signal })
    const kept = await shared.redis.hgetall(key)
    const { revision } = await one.read('e', options)
    const lost = await one.write('e', numberedLedger(2), { revision, signal })
    await shared.redis.hset(key, kept) // as after a crash
    const before = await other.read('e', options)
    expect(before.ledger).toEqual(numberedLedger(1))
    await other.write('e', numberedLedger(3), { revision: before.revision, signal })
    const stale = { revision: lost ?? 0, signal }
    expect(await one.write('e', numberedLedger(4), stale)).toBeNull()
    expect((await one.read('e', options)).ledger).toEqual(numberedLedger(3))
    await shared.redis.del(key)
    expect(await one.read('e', options)).toMatchObject({ revision: 0, ledger: { chains: [] } })
  })

  it.each([
    ['another schema', '{"schema":"nightscribe.ledger/0","chains":[]}', 'nightscribe.ledger/0'],
    ['no schema', '{"chains":[]}', 'undefined'],
    ['no JSON', '{', 'undefined'],
    ['nothing', 'null', 'undefined'],
  ])('refuses a ledger of %s, and says what to do', async (_, value, shape) => {
    const commands = await newShared()
    const { redis, prefix } = commands
    await redis.hset(`${prefix}:ledger:e`, { revision: '1', value })
    const read = new RedisLedgerStore(commands).read('e', options)
    const error = await read.catch((thrown) => thrown)
    expect(error).toMatchObject({ name: 'ConfigError', code: 'config_invalid' })
    expect(error.message).toContain(shape)
    expect(error.message).toContain(`${prefix}:ledger:e`)
    expect(error.message).toContain('queue.prefix')
  })

  it('does not remove an entry that is renewed while it is found stale', async () => {
    const commands = await newShared()
    const { redis, prefix } = commands
    await redis.hset(prefix, { renewed: '{"age":1}', silent: '{"age":1}', fresh: '{"age":0}' })
    const racing = await server.connect()
    const evaluate = redis.eval.bind(redis) as (...args: unknown[]) => Promise<unknown>
    vi.spyOn(redis, 'eval').mockImplementation(async (...args: unknown[]) => {
      await racing.hset(prefix, 'renewed', '{"age":0}')
      return await evaluate(...args)
    })
    const isFresh = ({ age }: { age: number }) => age === 0
    expect(await freshEntries(commands, prefix, isFresh, options)).toEqual([{ age: 0 }])
    expect(Object.keys(await redis.hgetall(prefix)).sort()).toEqual(['fresh', 'renewed'])
  })

  it('leaves nothing of a worker that is gone', async () => {
    const commands = await newShared()
    const { redis, prefix } = commands
    await new RedisWaitingList(commands).put(waiterOf('a'), options)
    await new RedisWorkerHeartbeats(commands).beat('w', options)
    const activities = new RedisEngineActivity(commands)
    const none = { newestDeltaMs: null, oldestDueMs: null, changedMs: null, lagP99Ms: null }
    const activity = { ...none, sessions: 0, connectionCounts: [], kvBlocksPredicted: 0 }
    await activities.publish('e', { worker: 'w', atMs: 1, ...activity }, options)
    await activities.tryLock('e', 'free', { holdMs: 1_000, signal })
    await activities.requestEviction('e', { worker: 'w', chainId: 'x/0' }, options)
    const keys = await redis.keys(`${prefix}:*`)
    expect(keys).toHaveLength(5)
    for (const key of keys) expect(await redis.pttl(key)).toBeGreaterThan(0)
  })

  it('calls a Redis that refuses by its reason', async () => {
    const commands = await newShared()
    const { redis, prefix } = commands
    await redis.set(`${prefix}:ledger:e`, 'not a hash')
    const error = await new RedisLedgerStore(commands).read('e', options).catch((thrown) => thrown)
    expect(error).toMatchObject({ name: 'UpstreamError', code: 'queue_unavailable' })
    expect(error.message).toContain('WRONGTYPE')
  })
})

describe('a Redis that does not answer', () => {
  let cleanup: CleanupStack
  afterEach(async () => {
    await cleanup[Symbol.asyncDispose]()
  })
  /** A client whose commands wait for a connection that never gets ready. */
  async function mute() {
    cleanup = new CleanupStack()
    const listener = createServer((socket) => socket.resume())
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
    cleanup.defer(() => new Promise((resolve) => listener.close(resolve)))
    const { port } = listener.address() as { port: number }
    const redis = new Redis({ host: '127.0.0.1', port, maxRetriesPerRequest: null })
    redis.on('error', () => {})
    cleanup.defer(() => redis.disconnect())
    const clock = new StepClock()
    return { clock, commands: new RedisCommands({ redis, prefix: 'p', clock }) }
  }

  it('is an UpstreamError after a while', async () => {
    const { clock, commands } = await mute()
    let error: unknown = null
    const asked = new RedisWorkerHeartbeats(commands).beat('w', options)
    const answered = asked.catch((thrown) => {
      error = thrown
    })
    await clock.advance(4_999)
    expect(error).toBeNull()
    await clock.advance(1)
    await answered
    expect(error).toMatchObject({ name: 'UpstreamError', code: 'queue_unavailable' })
    expect((error as Error).message).toContain('NIGHTSCRIBE_REDIS_URL')
  })

  it('is not waited for by a caller that is told to stop', async () => {
    const { commands } = await mute()
    const stop = new AbortController()
    const reason = new StopRequested('internal', 'Enough.')
    const read = new RedisLedgerStore(commands).read('e', { signal: stop.signal })
    stop.abort(reason)
    await expect(read).rejects.toBe(reason)
  })
})
