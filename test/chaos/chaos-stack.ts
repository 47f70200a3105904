import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTonesFactory } from '../../gpu/standin/recognizers/tones-recognizer.js'
import { type Standin, startStandin } from '../../gpu/standin/server.js'
import { type OpenPorts, openPorts } from '../../src/app/open-ports.js'
import { readEnvironment } from '../../src/config/environment.js'
import { type Settings, settingsSchema } from '../../src/config/schema.js'
import { CleanupStack } from '../../src/kernel/cleanup-stack.js'
import { systemClock } from '../../src/kernel/clock.js'
import { systemRandom } from '../../src/kernel/random.js'
import { environmentOf } from '../dev-stack.js'
import { startRadosgw } from '../fakes/radosgw.js'
import { type S3FaultProxy, startS3FaultProxy } from '../fakes/s3-fault-proxy.js'
import { type SocketFaultProxy, startSocketFaultProxy } from '../fakes/socket-fault-proxy.js'
import { startTestRedis, type TestRedis } from '../fakes/test-redis.js'
import type { HeardSessions } from './heard-sessions.js'
import { KeptUpWorker, type WorkerLog } from './kept-up-worker.js'

const WORKERS = 2
const ENGINES = 2
const ENGINE_KEY = 'k'

/** An engine behind a bad network. */
export interface ChaosEngine {
  standin: Standin
  proxy: SocketFaultProxy
  /** As the settings have it. */
  url: string
}

/** Everything that can break, and what stays whole to watch it. */
export interface ChaosStack extends AsyncDisposable {
  settings: Settings
  redis: TestRedis
  s3: S3FaultProxy
  engines: readonly ChaosEngine[]
  workers: readonly KeptUpWorker[]
  /** Of the one who watches: past all faults of storage, not past those of Redis. */
  ports: OpenPorts
}

/** What the stack is made of. */
export interface ChaosStackOptions {
  heard: HeardSessions
  log: WorkerLog
  /** KV blocks of each engine. */
  blocks: number
  /** Changes of the settings that a night would have. */
  settings: Record<string, unknown>
  /** Where the logs of the workers are kept; null: nowhere. */
  logFolder: string | null
}

/**
 * A real Redis with AOF, a real S3 server, two engines (stand-ins of this process, so that what
 * they were sent can be counted), each behind a network that breaks, and two worker processes.
 */
export async function startChaosStack(options: ChaosStackOptions): Promise<ChaosStack> {
  const cleanup = new CleanupStack()
  const { signal } = new AbortController()
  try {
    const folder = await mkdtemp(join(tmpdir(), 'nightscribe-chaos-'))
    cleanup.defer(() => rm(folder, { recursive: true, force: true }))
    if (options.logFolder !== null) await mkdir(options.logFolder, { recursive: true })
    const redis = cleanup.use(await startTestRedis())
    const server = cleanup.use(await startRadosgw())
    await server.createBucket('meetings')
    const s3 = cleanup.use(await startS3FaultProxy(server.endpoint))
    const engines = []
    for (let index = 0; index < ENGINES; index += 1) {
      engines.push(await startEngine(index, options, cleanup))
    }
    const { accessKeyId, secretAccessKey } = server
    const settings = settingsSchema.parse({
      storage: 's3://meetings/night',
      s3: { endpoint: s3.endpoint, accessKeyId, secretAccessKey },
      stateDir: join(folder, 'state'),
      redisUrl: redis.url,
      engines: engines.map(({ url }) => url),
      engineKey: ENGINE_KEY,
      vad: { method: 'energy' },
      ...options.settings,
    })
    const calm = { ...settings, s3: { ...settings.s3, endpoint: server.endpoint } }
    const watching = { clock: systemClock(), random: systemRandom(), signal }
    const ports = cleanup.use(await openPorts(calm, watching))
    const env = { ...readEnvironment(), ...environmentOf(settings) }
    const workers = Array.from({ length: WORKERS }, (_, index) => {
      const { log, logFolder } = options
      return cleanup.use(new KeptUpWorker({ name: `worker-${index}`, env, log, logFolder }))
    })
    for (const worker of workers) await worker.start()
    const dispose = () => cleanup[Symbol.asyncDispose]()
    return { settings, redis, s3, engines, workers, ports, [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await cleanup[Symbol.asyncDispose]()
    throw error
  }
}

async function startEngine(
  index: number,
  { heard, blocks }: ChaosStackOptions,
  cleanup: CleanupStack,
): Promise<ChaosEngine> {
  const recognizer = heard.listening(createTonesFactory(), index)
  const standin = await startStandin({ port: 0, key: ENGINE_KEY, recognizer, blocks })
  cleanup.defer(() => standin.close())
  const proxy = cleanup.use(await startSocketFaultProxy(standin.port))
  return { standin, proxy, url: `ws://127.0.0.1:${proxy.port}/v1/realtime` }
}
