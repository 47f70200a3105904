import { Redis, type RedisOptions } from 'ioredis'
import { withTimeout } from '../kernel/abort.js'
import { ConfigError, reasonOf, UpstreamError } from '../kernel/errors.js'
import { patchDisconnect } from './patch-disconnect.js'

/** Longest wait for the first answer of Redis after the start. */
const FIRST_ANSWER_MS = 5_000
/**
 * A connection on which a command got no answer for 30 s is given up: a host that lost its network
 * sends not even a reset. Longer than every blocking read, also that of BullMQ (10 s).
 */
const SILENCE_MS = 30_000

/** Where Redis is: `redis://`, `rediss://` or `unix:///path/to.sock`. */
export interface RedisAddress {
  url: string
}

/**
 * ioredis' options without `replyMapping`, whose declared type its constructor refuses under exact
 * optional types.
 */
type ClientOptions = Omit<RedisOptions, 'replyMapping'>

/** An address without its password, for sentences and logs. */
export function redactedRedisUrl(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//…@')
}

/** The client's options for an address. @throws ConfigError when the address has no known form */
export function redisOptions({ url }: RedisAddress): ClientOptions {
  const common: ClientOptions = {
    maxRetriesPerRequest: null, // BullMQ requires it: commands wait for the reconnect
    retryStrategy: (tries) => Math.min(2_000, 50 * 2 ** Math.min(tries, 6)),
    socketTimeout: SILENCE_MS,
    // After a failover the address leads to the new primary: 2 reconnects, and sends the refused
    // command again.
    reconnectOnError: ({ message }) => (message.startsWith('READONLY') ? 2 : false),
  }
  if (url.startsWith('unix://')) return { ...common, path: url.slice('unix://'.length) }
  const parsed = URL.canParse(url) ? new URL(url) : null
  if (!parsed || !/^rediss?:$/.test(parsed.protocol)) {
    throw new ConfigError(
      'config_invalid',
      `redisUrl (NIGHTSCRIBE_REDIS_URL) must be redis://, rediss:// or unix:///, not ${redactedRedisUrl(url)}.`,
    )
  }
  return {
    ...common,
    host: parsed.hostname.replace(/^\[|\]$/g, ''),
    port: Number(parsed.port || 6379),
    db: Number(parsed.pathname.slice(1) || 0),
    ...(parsed.username ? { username: decodeURIComponent(parsed.username) } : {}),
    ...(parsed.password ? { password: decodeURIComponent(parsed.password) } : {}),
    ...(parsed.protocol === 'rediss:' ? { tls: {} } : {}),
  }
}

/**
 * Connects and waits for the first answer.
 * @param onError called for every later connection error; the client reconnects by itself
 * @throws UpstreamError `queue_unavailable` naming the address and the setting; ConfigError where
 *   the server refuses us
 */
export async function connectRedis(
  address: RedisAddress,
  options: { signal: AbortSignal; onError: (error: Error) => void },
): Promise<Redis> {
  const client = patchDisconnect(new Redis(redisOptions(address)))
  const where = redactedRedisUrl(address.url)
  let lastError: Error | null = null
  client.on('error', (error: Error) => {
    lastError = error
    options.onError(error)
  })
  const refused = () =>
    new UpstreamError(
      'queue_unavailable',
      `Redis at ${where} can't be reached${lastError ? `: ${reasonOf(lastError)}` : ''}; is NIGHTSCRIBE_REDIS_URL right, and is it up?`,
      { effect: 'none' },
    )
  try {
    await withTimeout(FIRST_ANSWER_MS, options.signal, refused, async (signal) => {
      const aborted = new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      })
      await Promise.race([client.ping(), aborted, firstRefusal(client)])
    })
  } catch (error) {
    client.disconnect()
    if (error instanceof UpstreamError || options.signal.aborted) throw error
    if (/NOAUTH|WRONGPASS|NOPERM/.test(reasonOf(error))) {
      throw new ConfigError(
        'config_invalid',
        `Redis at ${where} refuses us: ${reasonOf(error)} Set user and password in NIGHTSCRIBE_REDIS_URL.`,
      )
    }
    lastError = error instanceof Error ? error : null
    throw refused()
  }
  return client
}

/** Rejects on the first connection error, so that a wrong address is reported at once. */
function firstRefusal(client: Redis): Promise<never> {
  return new Promise((_, reject) => client.once('error', reject))
}
