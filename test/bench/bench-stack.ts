import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type OpenPorts, openPorts } from '../../src/app/open-ports.js'
import { type RunningChild, startChild } from '../../src/cli/stack/child-process.js'
import { childEnvironment } from '../../src/config/environment.js'
import { programPath } from '../../src/config/project-root.js'
import { type Settings, settingsSchema } from '../../src/config/schema.js'
import { type EngineGauges, readEngineGauges } from '../../src/engines/engine-metrics.js'
import { CleanupStack } from '../../src/kernel/cleanup-stack.js'
import { sleepFor, systemClock } from '../../src/kernel/clock.js'
import { systemRandom } from '../../src/kernel/random.js'
import { isFinal } from '../../src/queue/contract/job-status.js'
import type { JobRecord } from '../../src/queue/index.js'
import { startTestRedis } from '../fakes/test-redis.js'

const GAUGES_TIMEOUT_MS = 5_000
const never = new AbortController().signal
const clock = systemClock()

/**
 * What runs beside a benchmark: a real Redis, a folder, the stand-in as a process, and workers as
 * processes. Settings are the defaults, but for the voice detector: tones are no voice.
 */
export interface BenchStack extends AsyncDisposable {
  folder: string
  settings: Settings
  ports: OpenPorts
  engineUrl: string
  standin: RunningChild
  /** @param options.preload a module that the worker's process loads first */
  startWorker(options?: { preload?: URL }): Promise<RunningChild>
  gauges(): Promise<EngineGauges>
}

/** @param options.blocks KV blocks of the stand-in, the one among them that holds no session */
export async function startBenchStack(options: { blocks: number }): Promise<BenchStack> {
  const cleanup = new CleanupStack()
  try {
    return await openBenchStack(cleanup, options)
  } catch (error) {
    await cleanup[Symbol.asyncDispose]()
    throw error
  }
}

async function openBenchStack(
  cleanup: CleanupStack,
  { blocks }: { blocks: number },
): Promise<BenchStack> {
  const folder = await mkdtemp(join(tmpdir(), 'nightscribe-bench-'))
  cleanup.defer(() => rm(folder, { recursive: true, force: true }))
  const redis = cleanup.use(await startTestRedis())
  const standin = cleanup.use(
    await startProgram('gpu/standin/main', {
      args: ['--port', '0', '--recognizer', 'tones', '--blocks', String(blocks)],
      env: {},
      readyEvent: 'listening',
    }),
  )
  const engineUrl = String(standin.ready.url)
  const storage = join(folder, 'data')
  const stateDir = join(folder, 'state')
  const env = {
    NIGHTSCRIBE_STORAGE: storage,
    NIGHTSCRIBE_STATE_DIR: stateDir,
    NIGHTSCRIBE_REDIS_URL: redis.url,
    NIGHTSCRIBE_ENGINES: engineUrl,
    NIGHTSCRIBE_VAD_METHOD: 'energy',
  }
  const settings = settingsSchema.parse({ storage, stateDir, redisUrl: redis.url })
  const random = systemRandom()
  const ports = cleanup.use(await openPorts(settings, { clock, random, signal: never }))
  return {
    folder,
    settings,
    ports,
    engineUrl,
    standin,
    async startWorker({ preload } = {}) {
      const options = preload ? { NODE_OPTIONS: `--import ${preload.href}` } : {}
      const parts = { args: [], env: { ...env, ...options }, readyEvent: 'ready' }
      return cleanup.use(await startProgram('jobs/worker', parts))
    },
    gauges() {
      const engine = { url: engineUrl, key: null }
      return readEngineGauges(engine, { timeoutMs: GAUGES_TIMEOUT_MS }, { signal: never })
    },
    [Symbol.asyncDispose]: () => cleanup[Symbol.asyncDispose](),
  }
}

async function startProgram(
  name: string,
  parts: { args: string[]; env: Record<string, string>; readyEvent: string },
): Promise<RunningChild> {
  const { readyEvent } = parts
  const args = [...parts.args, '--exit-with-stdin']
  const env = { ...childEnvironment(), ...parts.env }
  const onLog = (line: string) => void (/"level":(40|50)/.test(line) && console.error(line))
  const program = programPath(name)
  return await startChild({ name, program, args, env, readyEvent, onLog, signal: never })
}

/**
 * Looks at jobs until each was seen as wanted; `watch` runs with every look.
 * @throws when one ends that wasn't
 */
export async function untilCards(
  jobIds: Iterable<string>,
  { ports }: BenchStack,
  isReached: (record: JobRecord) => boolean,
  options: { everyMs?: number; watch?: () => Promise<void> } = {},
): Promise<void> {
  const { everyMs = 1_000, watch = async () => {} } = options
  const open = new Set(jobIds)
  while (open.size > 0) {
    for (const jobId of open) {
      const record = await ports.jobStore.get(jobId, { signal: never })
      if (!record) continue
      if (isReached(record)) open.delete(jobId)
      else if (isFinal(record.status)) {
        throw new Error(`${jobId} is ${record.status}: ${record.error?.detail ?? 'no error'}`)
      }
    }
    await watch()
    await sleepFor(clock, everyMs, { signal: never })
  }
}
