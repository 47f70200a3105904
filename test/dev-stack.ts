import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Queue } from 'bullmq'
import { pino } from 'pino'
import { createTonesFactory } from '../gpu/standin/recognizers/tones-recognizer.js'
import { type Standin, type StandinOptions, startStandin } from '../gpu/standin/server.js'
import { type WorkerEvents, workerEvents } from '../jobs/events.js'
import { type RunningWorker, startWorker } from '../jobs/start-worker.js'
import type { Ledger } from '../src/admission/ledger/ledger.js'
import { RedisLedgerStore } from '../src/admission/store/redis-ledger-store.js'
import { type OpenPorts, openPorts } from '../src/app/open-ports.js'
import { type RunningChild, startChild } from '../src/cli/stack/child-process.js'
import { readEnvironment } from '../src/config/environment.js'
import { programPath } from '../src/config/project-root.js'
import { type Settings, settingsSchema } from '../src/config/schema.js'
import { settingCatalogue } from '../src/config/setting-catalogue.js'
import { CleanupStack } from '../src/kernel/cleanup-stack.js'
import { systemClock } from '../src/kernel/clock.js'
import { systemRandom } from '../src/kernel/random.js'
import { isFinal } from '../src/queue/contract/job-status.js'
import type { JobRecord } from '../src/queue/index.js'
import { OPEN } from './fakes/open-signal.js'
import { startTestRedis, type TestRedis } from './fakes/test-redis.js'

/** Everything in one process: a real Redis, a folder, the stand-in, and workers on demand. */
export interface DevStack extends AsyncDisposable {
  settings: Settings
  ports: OpenPorts
  standin: Standin
  redis: TestRedis
  /** One more worker, as another process would be. */
  startWorker(changes?: Partial<Settings>, events?: WorkerEvents): Promise<RunningWorker>
  /** One that is another process, with the very same settings; what `jobs/worker` is built from. */
  startWorkerProcess(): Promise<RunningChild>
  /** Keeps jobs from being transcribed until they all shall be; resolves to what lets them go. */
  holdTranscriptions(): Promise<() => Promise<void>>
  /** What stands in the ledger of an engine. */
  ledger(engine?: string): Promise<Ledger>
  /** Waits until a job's card is as wanted. */
  until(jobId: string, isWanted: (record: JobRecord) => boolean): Promise<JobRecord>
  /** Waits until jobs have ended. */
  ended(jobIds: readonly string[]): Promise<JobRecord[]>
}

/** @param changes settings other than the defaults of the stack */
export async function startDevStack(
  changes: Record<string, unknown> = {},
  standinOptions: Partial<StandinOptions> = {},
): Promise<DevStack> {
  const cleanup = new CleanupStack()
  const { signal } = new AbortController()
  const clock = systemClock()
  const random = systemRandom()
  const folder = await mkdtemp(join(tmpdir(), 'nightscribe-stack-'))
  cleanup.defer(() => rm(folder, { recursive: true, force: true }))
  const redis = cleanup.use(await startTestRedis())
  const recognizer = createTonesFactory()
  const standin = await startStandin({ port: 0, key: 'k', recognizer, ...standinOptions })
  cleanup.defer(() => standin.close())
  const settings = settingsSchema.parse({
    storage: join(folder, 'data'),
    stateDir: join(folder, 'state'),
    redisUrl: redis.url,
    engines: [standin.url],
    engineKey: 'k',
    vad: { method: 'energy' },
    queue: { backoffMs: 50, backoffMaxMs: 200, attemptsMax: 3 },
    engine: { sessionsMax: 8 },
    legs: { openAheadMs: 100 },
    ...changes,
  })
  const ports = cleanup.use(await openPorts(settings, { clock, random, signal }))
  const quiet = workerEvents(pino({ level: 'silent' }))
  return {
    settings,
    ports,
    standin,
    redis,
    async startWorker(more = {}, events = quiet) {
      const options = { clock, random, events, signal }
      return cleanup.use(await startWorker({ ...settings, ...more }, options))
    },
    async startWorkerProcess() {
      const env = { ...readEnvironment(), ...environmentOf(settings) }
      const program = programPath('jobs/worker')
      const child = { name: 'worker', program, args: ['--exit-with-stdin'], readyEvent: 'ready' }
      return cleanup.use(await startChild({ ...child, env, onLog: () => {}, signal }))
    },
    async holdTranscriptions() {
      const connection = ports.redis
      const queue = new Queue('transcribe', { connection, prefix: settings.queue.prefix })
      cleanup.defer(() => queue.close())
      await queue.pause()
      return () => queue.resume()
    },
    async ledger(engine = standin.url) {
      const store = new RedisLedgerStore(ports.commands)
      return (await store.read(engine, { signal })).ledger
    },
    until: (jobId, isWanted) => untilCard(ports, jobId, isWanted),
    async ended(jobIds) {
      const records: JobRecord[] = []
      for (const jobId of jobIds) {
        records.push(await untilCard(ports, jobId, ({ status }) => isFinal(status)))
      }
      return records
    },
    [Symbol.asyncDispose]: () => cleanup[Symbol.asyncDispose](),
  }
}

/** The one of two worker processes that carries a job. */
export async function carrierOf(
  stack: DevStack,
  jobId: string,
  workers: readonly RunningChild[],
): Promise<RunningChild> {
  const chain = (await stack.ledger()).chains.find(({ id }) => id.startsWith(`${jobId}/`))
  const carrier = workers.find(({ pid }) => chain?.worker.startsWith(`${pid}-`))
  if (!carrier) throw new Error(`nobody carries ${jobId}`)
  return carrier
}

/** Follows the job's stream: Redis wakes us, nothing is polled. Throws where the job has ended. */
async function untilCard(
  ports: OpenPorts,
  jobId: string,
  isWanted: (record: JobRecord) => boolean,
): Promise<JobRecord> {
  const reader = ports.redis.duplicate()
  const key = `nightscribe:events:${jobId}`
  try {
    for (let after = '0'; ; ) {
      const record = await ports.jobStore.get(jobId, OPEN)
      if (record && isWanted(record)) return record
      if (record && isFinal(record.status)) {
        throw new Error(
          `${jobId} is ${record.status} (${record.error?.code ?? 'no error'}) instead`,
        )
      }
      const read = await reader.xread('BLOCK', 10_000, 'STREAMS', key, after)
      after = read?.[0]?.[1].at(-1)?.[0] ?? after
    }
  } finally {
    reader.disconnect()
  }
}

/** Settings as variables of a process, those with their defaults too: no file has a say. */
export function environmentOf(settings: Settings): Record<string, string> {
  const texts = settingCatalogue.map(({ path, environmentName }) => {
    const value = path.split('.').reduce<unknown>((node, key) => {
      return (node as Record<string, unknown>)[key]
    }, settings)
    return [environmentName, value === null ? 'none' : String(value)] as const
  })
  return Object.fromEntries(texts)
}
