import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type {
  EngineActivityStore,
  LedgerStore,
  WaitingList,
  WorkerHeartbeats,
} from '../../src/admission/index.js'
import { RedisEngineActivity } from '../../src/admission/store/redis-engine-activity.js'
import { RedisLedgerStore } from '../../src/admission/store/redis-ledger-store.js'
import { RedisWaitingList } from '../../src/admission/store/redis-waiting-list.js'
import { RedisWorkerHeartbeats } from '../../src/admission/store/redis-worker-heartbeats.js'
import { systemClock } from '../../src/kernel/clock.js'
import { BullmqJobQueue } from '../../src/queue/bullmq-job-queue.js'
import type { JobQueue, JobStore } from '../../src/queue/index.js'
import { forgottenJobs, removeForgotten } from '../../src/queue/redis-job-index.js'
import { RedisJobStore } from '../../src/queue/redis-job-store.js'
import { ANSWER_TIMEOUT_MS, RedisCommands } from '../../src/redis/redis-commands.js'
import { tryLock } from '../../src/redis/redis-lock.js'
import { numberedLedger, waiterOf } from '../contract/ledger-store.js'
import { allOf } from '../fakes/all-of.js'
import { recordOf } from '../fakes/job-record.js'
import { OPEN } from '../fakes/open-signal.js'
import { startTestRedis, type TestRedis } from '../fakes/test-redis.js'

// Every method through which this process speaks to Redis, in every state in which Redis may be.
// Left out, because they wait by design and end by their signal alone: the dialogue of BullMQ's
// workers (`startJobWorker`), `patientPorts` around an attempt's store and queue (its sessions run
// on meanwhile), and `close`.

/** What a method does in Redis: nothing, write, or only take something out. */
type Kind = 'reads' | 'writes' | 'removes'
type Call = [kind: Kind, ask: () => Promise<unknown>]
type Table<Port> = Record<Exclude<keyof Port, 'close'>, Call>

let redis: TestRedis
let admin: Redis
beforeAll(async () => {
  redis = await startTestRedis()
  admin = new Redis(redis.url.replace('unix://', ''), { enableReadyCheck: false })
  admin.on('error', () => {}) // it is killed on purpose
})
afterAll(async () => {
  admin.disconnect()
  await redis[Symbol.asyncDispose]()
})

const ENGINE = 'ws://gpu:1/v1/realtime'
const NO_ACTIVITY = {
  ...{ worker: 'w', atMs: 1, newestDeltaMs: null, oldestDueMs: null, sessions: 0 },
  ...{ connectionCounts: [], kvBlocksPredicted: 0, changedMs: null, lagP99Ms: null },
}

/** The adapters over one connection, and a call of each of their methods that changes something. */
function callsOver(commands: RedisCommands) {
  const clock = systemClock()
  const store = new RedisJobStore(commands, { keptMs: 60_000, clock })
  const queue = new BullmqJobQueue(commands)
  const ledgers = new RedisLedgerStore(commands)
  const waiting = new RedisWaitingList(commands)
  const heartbeats = new RedisWorkerHeartbeats(commands)
  const activities = new RedisEngineActivity(commands)
  const jobStore: Table<JobStore> = {
    create: ['writes', () => store.create(recordOf('new'), OPEN)],
    update: ['writes', () => store.update('job', { status: 'running' }, OPEN)],
    get: ['reads', () => store.get('job', OPEN)],
    openIds: ['reads', () => allOf(store.openIds(OPEN))],
    list: ['reads', () => store.list({ tenant: 'default', limit: 9 }, OPEN)],
    appendHistory: ['writes', () => store.appendHistory('job', { kind: 'retried' }, OPEN)],
    history: ['reads', () => store.history('job', OPEN)],
    publish: [
      'writes',
      () => store.publish('job', { type: 'progress', audioMsDone: 1, audioMsTotal: 2 }, OPEN),
    ],
    events: ['reads', () => store.events('job', { afterId: '0', limit: 9 }, OPEN)],
    requestCancel: ['writes', () => store.requestCancel('job', OPEN)],
    onCancel: ['reads', () => store.onCancel(() => {}, { signal: AbortSignal.timeout(60_000) })],
    nextFence: ['writes', () => store.nextFence('job', 0, OPEN)],
  }
  const jobQueue: Table<JobQueue> = {
    enqueue: ['writes', () => queue.enqueue('analyse', 'new', { priority: 0, ...OPEN })],
    promote: ['reads', () => queue.promote('analyse', 'job', OPEN)],
    remove: ['removes', () => queue.remove('queued', OPEN)],
    has: ['reads', () => queue.has('job', OPEN)],
    depth: ['reads', () => queue.depth(OPEN)],
  }
  const ledgerStore: Table<LedgerStore & Pick<RedisLedgerStore, 'engines'>> = {
    read: ['reads', () => ledgers.read(ENGINE, OPEN)],
    write: ['writes', () => ledgers.write('new', numberedLedger(2), { revision: 0, ...OPEN })],
    engines: ['reads', () => ledgers.engines(OPEN)],
  }
  const waitingList: Table<WaitingList> = {
    put: ['writes', () => waiting.put(waiterOf('new'), OPEN)],
    remove: ['removes', () => waiting.remove('job', OPEN)],
    list: ['reads', () => waiting.list(OPEN)],
  }
  const workerHeartbeats: Table<WorkerHeartbeats> = {
    beat: ['writes', () => heartbeats.beat('new', OPEN)],
    ages: ['reads', () => heartbeats.ages(['w'], OPEN)],
    deregister: ['removes', () => heartbeats.deregister('w', OPEN)],
  }
  const lock = { holdMs: 60_000, ...OPEN }
  const chain = { worker: 'new', chainId: 'job/0' }
  const engineActivity: Table<EngineActivityStore> = {
    publish: ['writes', () => activities.publish('new', NO_ACTIVITY, OPEN)],
    list: ['reads', () => activities.list(ENGINE, OPEN)],
    tryLock: ['writes', () => activities.tryLock(ENGINE, 'free', lock)],
    requestEviction: ['writes', () => activities.requestEviction(ENGINE, chain, OPEN)],
    takeEvictionRequests: ['removes', () => activities.takeEvictionRequests(ENGINE, 'w', OPEN)],
  }
  const besides: Record<string, Call> = {
    tryLock: ['writes', () => tryLock(commands, ['turn'], lock)],
    forgottenJobs: ['reads', () => allOf(forgottenJobs(commands, OPEN))],
    removeForgotten: [
      'removes',
      () => removeForgotten(commands, { jobId: 'gone', tenant: 'default' }, OPEN),
    ],
  }
  const ports = { jobStore, jobQueue, ledgerStore, waitingList, workerHeartbeats, engineActivity }
  const calls = Object.entries({ ...ports, besides }).flatMap(([port, table]) =>
    Object.entries(table).map(([method, [kind, ask]]) => ({
      name: `${port}.${method}`,
      kind,
      ask,
    })),
  )
  /** What the calls read, change and take out. */
  async function fill(): Promise<void> {
    await store.create(recordOf('job'), OPEN)
    await store.create(recordOf('gone'), OPEN)
    await commands.redis.del(commands.key('job', 'gone'))
    await store.appendHistory('job', { kind: 'submitted' }, OPEN)
    await queue.enqueue('transcribe', 'job', { priority: 0, ...OPEN })
    await queue.enqueue('transcribe', 'queued', { priority: 0, ...OPEN })
    await ledgers.write(ENGINE, numberedLedger(1), { revision: 0, ...OPEN })
    await waiting.put(waiterOf('job'), OPEN)
    await heartbeats.beat('w', OPEN)
    await activities.publish(ENGINE, NO_ACTIVITY, OPEN)
    await activities.requestEviction(ENGINE, { worker: 'w', chainId: 'job/0' }, OPEN)
  }
  return { calls, fill, queue }
}

/**
 * What lies below a prefix, by key. The queue's own is left out: its commands may be executed
 * later, for the same once more changes nothing.
 */
async function contentsOf(prefix: string): Promise<Record<string, unknown>> {
  const contents: Record<string, unknown> = {}
  for (const key of (await admin.keys(`${prefix}:*`)).sort()) {
    if (key.startsWith(`${prefix}:analyse:`) || key.startsWith(`${prefix}:transcribe:`)) continue
    await admin.persist(key) // none is to expire meanwhile
    const read = {
      ...{ hash: () => admin.hgetall(key), set: () => admin.smembers(key) },
      ...{ zset: () => admin.zrange(key, '0', '-1'), list: () => admin.lrange(key, 0, -1) },
      ...{ stream: () => admin.xrange(key, '-', '+'), string: () => admin.get(key) },
    }
    contents[key] = await read[(await admin.type(key)) as keyof typeof read]()
  }
  return contents
}

type Answer = 'answers' | 'unavailable'

async function answersTo(calls: ReturnType<typeof callsOver>['calls']) {
  const answered = calls.map(async ({ name, ask }): Promise<[string, Answer | Error]> => {
    try {
      await ask()
      return [name, 'answers']
    } catch (error) {
      const isUnavailable = (error as { code?: unknown }).code === 'queue_unavailable'
      return [name, isUnavailable ? 'unavailable' : (error as Error)]
    }
  })
  return Object.fromEntries(await Promise.all(answered))
}

function expected(calls: ReturnType<typeof callsOver>['calls'], answer: (kind: Kind) => Answer) {
  return Object.fromEntries(calls.map(({ name, kind }) => [name, answer(kind)]))
}

/** Two connections to a filled part of Redis: one with the time limit, one that gives up soon. */
async function filled() {
  const prefix = `s${randomBytes(6).toString('hex')}`
  const clock = systemClock()
  const patient = callsOver(await redis.commands(prefix))
  const soon = new RedisCommands({ redis: await redis.connect(), prefix, clock, timeoutMs: 250 })
  const hasty = callsOver(soon)
  await patient.fill()
  return { prefix, patient, hasty, soon }
}

/** Enough to load for 5 s, where each command takes 1 ms: twenty times as long as is waited. */
const LOADED_KEYS = 5_000
let loading: Promise<void>

async function startSlowly(): Promise<void> {
  const filling = admin.pipeline()
  for (let key = 0; key < LOADED_KEYS; key += 1) filling.set(`filler:${key}`, '')
  await filling.exec()
  await redis.kill()
  loading = redis.start(['--key-load-delay', '1000'])
  const isLoading = async () => String(await admin.ping().catch(String)).includes('LOADING')
  while (!(await isLoading())) await setTimeout(50)
}

async function loadFast(): Promise<void> {
  await admin.config('SET', 'key-load-delay', 0)
  await loading
}

const SILENT = {
  'is stopped': { begin: () => redis.freeze(), end: () => redis.thaw() },
  'is killed': { begin: () => redis.kill(), end: () => redis.start() },
  'is loading its data': { begin: startSlowly, end: loadFast },
}

describe('every method that asks a Redis which', () => {
  it.each(Object.entries(SILENT))(
    '%s is told in time that it is away, and has changed nothing when it is back',
    async (_, { begin, end }) => {
      const { prefix, patient, hasty, soon } = await filled()
      const before = await contentsOf(prefix)
      await begin()
      const answers = await answersTo(hasty.calls)
      await end()
      expect(answers).toEqual(expected(hasty.calls, () => 'unavailable'))
      await soon.redis.ping() // what the connection still held has been executed
      expect(await contentsOf(prefix)).toEqual(before)
      expect(await answersTo(patient.calls)).toEqual(expected(patient.calls, () => 'answers'))
      const one = { waiting: 1, active: 0, delayed: 0 }
      expect(await patient.queue.depth(OPEN)).toEqual({ analyse: one, transcribe: one })
      await hasty.queue.close()
      await patient.queue.close()
    },
    60_000,
  )

  it('has no memory left answers what is read or taken out, and refuses the rest', async () => {
    const { patient } = await filled()
    await admin.config('SET', 'maxmemory', 1)
    const answers = await answersTo(patient.calls)
    await admin.config('SET', 'maxmemory', 0)
    const refuses = (kind: Kind) => (kind === 'writes' ? 'unavailable' : 'answers')
    expect(answers).toEqual(expected(patient.calls, refuses))
    await patient.queue.close()
  })

  it('is a replica answers what is read, and refuses the rest', async () => {
    const { patient } = await filled()
    await admin.replicaof('127.0.0.1', 1)
    const answers = await answersTo(patient.calls)
    await admin.replicaof('NO', 'ONE')
    const refuses = (kind: Kind) => (kind === 'reads' ? 'answers' : 'unavailable')
    expect(answers).toEqual(expected(patient.calls, refuses))
    await patient.queue.close()
  })

  it('is well answers within the time limit of 5 s', async () => {
    expect(ANSWER_TIMEOUT_MS).toBe(5_000)
    const { patient } = await filled()
    expect(await answersTo(patient.calls)).toEqual(expected(patient.calls, () => 'answers'))
    await patient.queue.close()
  })
})
