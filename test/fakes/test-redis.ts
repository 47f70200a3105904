import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { embeddedRedisUrl, startEmbeddedRedis } from '../../src/cli/embedded-redis.js'
import { readEnvironment } from '../../src/config/environment.js'
import { CleanupStack } from '../../src/kernel/cleanup-stack.js'
import { connectRedis } from '../../src/queue/redis-connection.js'

/** A real Redis of the test's own, on a socket in a temporary folder. */
export interface TestRedis extends AsyncDisposable {
  url: string
  /** A connection that is closed with the server. */
  connect(): Promise<Redis>
}

/** Starts one; it is gone when it is disposed of. */
export async function startTestRedis(): Promise<TestRedis> {
  const cleanup = new CleanupStack()
  const { signal } = new AbortController()
  const stateDir = await mkdtemp(join(tmpdir(), 'nightscribe-redis-'))
  cleanup.defer(() => rm(stateDir, { recursive: true, force: true }))
  cleanup.use(await startEmbeddedRedis(stateDir, { path: readEnvironment().PATH ?? '', signal }))
  const url = embeddedRedisUrl(stateDir)
  return {
    url,
    async connect() {
      const redis = await connectRedis({ url }, { signal, onError: () => {} })
      cleanup.defer(() => redis.disconnect())
      return redis
    },
    [Symbol.asyncDispose]: () => cleanup[Symbol.asyncDispose](),
  }
}
