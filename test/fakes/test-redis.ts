import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
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
  /** Starts it again on what it has on disk; resolves when it has read that. */
  start(options?: readonly string[]): Promise<void>
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
  const start = async (options: readonly string[] = []) => {
    const path = await serverPath(join(stateDir, 'bin'), options)
    return await startEmbeddedRedis(stateDir, { path, signal })
  }
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
    async start(options) {
      server = await start(options)
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

/** Where the server is found: in `folder`, as a program that adds options of the test's own. */
async function serverPath(folder: string, options: readonly string[]): Promise<string> {
  const path = readEnvironment().PATH ?? ''
  if (options.length === 0) return path
  await mkdir(folder, { recursive: true })
  const script = `#!/bin/bash
for name in redis-server valkey-server redis-check-rdb valkey-check-rdb; do
  real=$(PATH='${path}' command -v $name) && break
done
exec -a "\${name/check-rdb/server}" "$real" "$@" ${options.join(' ')}
`
  await writeFile(join(folder, 'redis-server'), script, { mode: 0o700 })
  return folder
}
