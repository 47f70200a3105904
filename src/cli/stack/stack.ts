import { createWriteStream, type WriteStream } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { embeddedRedisUrl, startEmbeddedRedis } from '../../app/embedded-redis.js'
import { childEnvironment, readEnvironment } from '../../config/environment.js'
import { programPath } from '../../config/project-root.js'
import type { Settings } from '../../config/schema.js'
import { CleanupStack } from '../../kernel/cleanup-stack.js'
import type { Clock } from '../../kernel/clock.js'
import { InputError } from '../../kernel/errors.js'
import { type RunningChild, startChild } from './child-process.js'
import { standinFlags, withStandin } from './own-standin.js'
import { SupervisedWorker } from './supervised-worker.js'

/**
 * All parts that one machine needs, running: Redis, engine, worker. Parts that the settings name
 * are used, not started.
 */
export interface Stack extends AsyncDisposable {
  /** The settings, with the addresses of the parts that were started. */
  settings: Settings
  /** For people: a line for storage, Redis, engine and worker each. */
  parts: readonly string[]
  standin: boolean
  /** Rejects when a part dies and can't be replaced. A dead worker is started again first. */
  broken: Promise<never>
  /**
   * The worker takes no new jobs; resolves when those in progress have been checkpointed and handed
   * back.
   */
  drain(): Promise<void>
  /** Ends the worker at once; resolves when it has ended. */
  abort(): Promise<void>
}

/**
 * Starts every part that the settings don't name.
 * @throws InputError when a stack already runs in this state folder; a part's own error when it
 * can't start
 */
export async function startStack(
  settings: Settings,
  options: { clock: Clock; signal: AbortSignal; configEnv: Readonly<Record<string, string>> },
): Promise<Stack> {
  const { clock, signal, configEnv } = options
  await mkdir(settings.stateDir, { recursive: true, mode: 0o700 })
  const stack = new CleanupStack()
  try {
    await claim(settings.stateDir, stack)
    const parts: string[] = []
    const own: Partial<Settings> = {}
    if (settings.redisUrl === null) {
      const { PATH: path = '' } = readEnvironment()
      stack.use(await startEmbeddedRedis(settings.stateDir, { path, signal }))
      own.redisUrl = embeddedRedisUrl(settings.stateDir)
      parts.push('Redis: our own, on a socket')
    } else parts.push('Redis: NIGHTSCRIBE_REDIS_URL')
    const standin = settings.engines.length === 0
    if (standin) {
      const child = stack.use(await startStandin(settings, stack, signal))
      own.engines = [String(child.ready.url)]
      own.engine = withStandin(settings).engine
      const model = settings.standin.modelPath ?? 'Moonshine tiny (English)'
      parts.push(`Engine: stand-in on the CPU (no GPU) with ${model}, ${String(child.ready.url)}`)
    } else parts.push(`Engine: ${settings.engines.join(', ')}`)
    const resolved = { ...settings, ...own }
    const log = await openLog(settings, 'worker', stack)
    const worker = stack.use(
      await SupervisedWorker.start({
        start: () => startWorker(resolved, configEnv, log, signal),
        clock,
        logPath: join(settings.stateDir, 'worker.log'),
      }),
    )
    parts.push(`Worker: process ${worker.pid}, admission by ${settings.admission.policy}`)
    return running(resolved, { parts, standin, worker, owned: stack })
  } catch (error) {
    await stack[Symbol.asyncDispose]()
    throw error
  }
}

function running(
  settings: Settings,
  made: { parts: string[]; standin: boolean; worker: SupervisedWorker; owned: CleanupStack },
): Stack {
  const { worker, owned } = made
  return {
    settings,
    parts: made.parts,
    standin: made.standin,
    broken: worker.broken,
    drain: () => worker.stop('drain'),
    abort: () => worker.stop('abort'),
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  }
}

async function startStandin(
  settings: Settings,
  stack: CleanupStack,
  signal: AbortSignal,
): Promise<RunningChild> {
  const log = await openLog(settings, 'standin', stack)
  return await startChild({
    name: 'stand-in engine',
    program: programPath('gpu/standin/main'),
    args: standinFlags(settings),
    env: childEnvironment(),
    readyEvent: 'listening',
    onLog: (line) => void log.write(`${line}\n`),
    signal,
  })
}

async function startWorker(
  settings: Settings,
  configEnv: Readonly<Record<string, string>>,
  log: WriteStream,
  signal: AbortSignal,
): Promise<RunningChild> {
  return await startChild({
    name: 'worker',
    program: programPath('jobs/worker'),
    args: ['--exit-with-stdin'],
    env: {
      ...childEnvironment(),
      ...configEnv,
      NIGHTSCRIBE_STORAGE: settings.storage,
      NIGHTSCRIBE_STATE_DIR: settings.stateDir,
      NIGHTSCRIBE_ENGINES: settings.engines.join(','),
      NIGHTSCRIBE_ENGINE_SESSIONS_MAX: String(settings.engine.sessionsMax ?? 'none'),
      NIGHTSCRIBE_REDIS_URL: settings.redisUrl ?? '',
    },
    readyEvent: 'ready',
    onLog: (line) => void log.write(`${line}\n`),
    signal,
  })
}

async function openLog(
  settings: Settings,
  name: string,
  stack: CleanupStack,
): Promise<WriteStream> {
  const log = createWriteStream(join(settings.stateDir, `${name}.log`), { flags: 'a' })
  stack.defer(() => new Promise<void>((resolve) => log.end(() => resolve())))
  return log
}

/**
 * Writes this process's id into the state folder, so that no second stack uses it. The id of a dead
 * process is overwritten.
 */
async function claim(stateDir: string, stack: CleanupStack): Promise<void> {
  const owner = await stackOwner(stateDir)
  if (owner !== null) {
    throw new InputError(
      'input_unsupported',
      `Nightscribe already runs in this folder (process ${owner}); use \`nightscribe transcribe\` beside it, or stop it first.`,
    )
  }
  const path = join(stateDir, 'up.pid')
  await writeFile(path, String(process.pid))
  stack.defer(() => rm(path, { force: true }))
}

/** Process id of the stack that runs in a state folder; null without one. */
export async function stackOwner(stateDir: string): Promise<number | null> {
  const pid = Number(await readFile(join(stateDir, 'up.pid'), 'utf8').catch(() => ''))
  if (!pid || pid === process.pid) return null
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return command.includes('nightscribe') || command.includes('cli/main') ? pid : null
}
