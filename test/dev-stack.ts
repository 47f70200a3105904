import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { type Standin, type StandinOptions, startStandin } from '../gpu/standin/server.js'
import { createTonesFactory } from '../gpu/standin/tones-recognizer.js'
import { workerEvents } from '../jobs/events.js'
import { type RunningWorker, startWorker } from '../jobs/start-worker.js'
import { type OpenPorts, openPorts } from '../src/cli/open-ports.js'
import { type Settings, settingsSchema } from '../src/config/schema.js'
import { CleanupStack } from '../src/kernel/cleanup-stack.js'
import { systemClock } from '../src/kernel/clock.js'
import { systemRandom } from '../src/kernel/random.js'
import { isFinal, type JobCard } from '../src/queue/index.js'
import { startTestRedis, type TestRedis } from './fakes/test-redis.js'

/** Everything in one process: a real Redis, a folder, the stand-in, and workers on demand. */
export interface DevStack extends AsyncDisposable {
  settings: Settings
  ports: OpenPorts
  standin: Standin
  redis: TestRedis
  /** One more worker, as another process would be. */
  startWorker(changes?: Partial<Settings>): Promise<RunningWorker>
  /** Waits until jobs have ended; rejects when the signal aborts. */
  ended(jobIds: readonly string[]): Promise<JobCard[]>
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
  const quiet = workerEvents('silent', pino.destination('/dev/null'))
  return {
    settings,
    ports,
    standin,
    redis,
    async startWorker(more = {}) {
      const options = { clock, random, events: quiet, signal }
      return cleanup.use(await startWorker({ ...settings, ...more }, options))
    },
    async ended(jobIds) {
      const cards: JobCard[] = []
      for (const jobId of jobIds) cards.push(await untilEnded(ports, jobId))
      return cards
    },
    [Symbol.asyncDispose]: () => cleanup[Symbol.asyncDispose](),
  }
}

/** Follows the job's stream: Redis wakes us, nothing is polled. */
async function untilEnded(ports: OpenPorts, jobId: string): Promise<JobCard> {
  const reader = ports.redis.duplicate()
  const key = `nightscribe:events:${jobId}`
  try {
    for (let after = '0'; ; ) {
      const card = await ports.board.get(jobId)
      if (card && isFinal(card.status)) return card
      const read = await reader.xread('BLOCK', 10_000, 'STREAMS', key, after)
      after = read?.[0]?.[1].at(-1)?.[0] ?? after
    }
  } finally {
    reader.disconnect()
  }
}
