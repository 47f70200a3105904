import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { embeddedRedisUrl, startEmbeddedRedis } from '../../src/app/embedded-redis.js'
import { readEnvironment } from '../../src/config/environment.js'
import { CleanupStack } from '../../src/kernel/cleanup-stack.js'
import { systemClock } from '../../src/kernel/clock.js'
import { RedisCommands } from '../../src/redis/redis-commands.js'
import { connectRedis } from '../../src/redis/redis-connection.js'

/** A real Redis of the test's own, on a socket in a temporary folder. */
export interface TestRedis extends AsyncDisposable {
  url: string
  /** A connection that is closed with the server. */
  connect(): Promise<Redis>
  /** Commands over such a connection, below a prefix. */
  commands(prefix: string): Promise<RedisCommands>
  /** Ends it as a crash does: at once, with nothing said to anybody. */
  kill(): Promise<void>
  /** Starts it again on what it has on disk. */
  start(): Promise<void>
  /** Stops its process where it is (SIGSTOP), until `thaw`: connections stay, nothing answers. */
  freeze(): Promise<void>
  thaw(): Promise<void>
}

/** Starts one; it is gone when it is disposed of. */
export async function startTestRedis(): Promise<TestRedis> {
  const cleanup = new CleanupStack()
  const { signal } = new AbortController()
  const stateDir = await mkdtemp(join(tmpdir(), 'nightscribe-redis-'))
  cleanup.defer(() => rm(stateDir, { recursive: true, force: true }))
  const start = () => startEmbeddedRedis(stateDir, { path: readEnvironment().PATH ?? '', signal })
  let server = await start()
  const tell = async (what: NodeJS.Signals) => {
    process.kill(Number(await readFile(join(stateDir, 'redis.pid'), 'utf8')), what)
  }
  cleanup.defer(() => server[Symbol.asyncDispose]())
  const url = embeddedRedisUrl(stateDir)
  const connect = async () => {
    const redis = await connectRedis({ url }, { signal, onError: () => {} })
    cleanup.defer(() => redis.disconnect())
    return redis
  }
  return {
    url,
    async kill() {
      await tell('SIGKILL')
      await server[Symbol.asyncDispose]()
    },
    async start() {
      server = await start()
    },
    freeze: () => tell('SIGSTOP'),
    thaw: () => tell('SIGCONT'),
    connect,
    async commands(prefix) {
      return new RedisCommands({ redis: await connect(), prefix, clock: systemClock() })
    },
    [Symbol.asyncDispose]: () => cleanup[Symbol.asyncDispose](),
  }
}
