import type { ChainableCommander, Redis } from 'ioredis'
import { type CallOptions, orAbort } from '../kernel/abort.js'
import type { Clock } from '../kernel/clock.js'
import { NightscribeError, UpstreamError } from '../kernel/errors.js'
import { StoreTime } from '../kernel/store-time.js'
import { redisFailure } from './redis-failure.js'
import type { RedisScript } from './redis-script.js'

/** Longest wait for an answer of Redis; without a connection, a command waits as long for one. */
export const ANSWER_TIMEOUT_MS = 5_000
/**
 * The share of that time in which a write may still take effect. The rest is for the way of its
 * answer, and for the error in our estimate of Redis' clock.
 */
const EFFECT_SHARE = 0.9

/** Keys and arguments of a script. */
export interface ScriptCall {
  keys: readonly string[]
  args: readonly (string | number)[]
}

/**
 * The only way in which our own commands reach Redis, shared by all adapters of a process. Every
 * call has a time limit. It ends with UpstreamError `queue_unavailable` where Redis refuses it or
 * does not answer in time, or with the signal's reason.
 *
 * A write that was reported as failed must not take effect afterwards. Otherwise a Redis that was
 * stopped, or a client that gets its connection back, would execute it minutes later, over newer
 * values. So each write is a script that gets a deadline by Redis' clock, compares it with that
 * clock first, and does nothing after it.
 */
export class RedisCommands {
  readonly redis: Redis
  readonly prefix: string
  private readonly clock: Clock
  private readonly timeoutMs: number
  private readonly time = new StoreTime()
  private isTimeKnown = false

  constructor(options: { redis: Redis; prefix: string; clock: Clock; timeoutMs?: number }) {
    this.redis = options.redis
    this.prefix = options.prefix
    this.clock = options.clock
    this.timeoutMs = options.timeoutMs ?? ANSWER_TIMEOUT_MS
    this.redis.on('ready', () => this.forgetTime())
  }

  /** A key below the prefix. */
  key(...parts: readonly string[]): string {
    return [this.prefix, ...parts].join(':')
  }

  /** The answer of `ask`, which must write nothing, or only what may be written at any time. */
  async read<T>(ask: (redis: Redis) => Promise<T>, options: CallOptions): Promise<T> {
    return await this.inTime(() => ask(this.redis), options)
  }

  /** The replies to commands that are sent together; the commands must write nothing. */
  async readAll(
    build: (pipeline: ChainableCommander) => ChainableCommander,
    options: CallOptions,
  ): Promise<unknown[]> {
    return await this.inTime(() => repliesOf(build(this.redis.pipeline())), options)
  }

  /** Runs a script that changes something. @returns what its body returns; null for nothing */
  async write(script: RedisScript, call: ScriptCall, options: CallOptions): Promise<unknown> {
    const effectiveUntilMs = this.clock.monotonicMs() + this.timeoutMs * EFFECT_SHARE
    return await this.inTime(async () => {
      for (;;) {
        if (!this.isTimeKnown) await this.learnTime()
        const result = await this.run(script, call, effectiveUntilMs)
        if (result.isExecuted) return result.answer ?? null
        // Redis says that the deadline is over. Either it is, by our clock too, or Redis' clock has
        // jumped: then the reply has told us its new time, and the write is tried again.
        if (this.clock.monotonicMs() >= effectiveUntilMs) throw this.unanswered()
      }
    }, options)
  }

  private async run(
    { source }: RedisScript,
    { keys, args }: ScriptCall,
    effectiveUntilMs: number,
  ): Promise<{ isExecuted: boolean; answer: unknown }> {
    const beforeMs = this.clock.monotonicMs()
    const untilMs = Math.floor(this.time.toStoreAtLeast(effectiveUntilMs))
    const reply = await this.redis.eval(source, keys.length, ...keys, untilMs, ...args)
    const [nowMs, isExecuted, answer] = reply as [number, number, unknown]
    this.time.note(nowMs, beforeMs, this.clock.monotonicMs())
    return { isExecuted: isExecuted === 1, answer }
  }

  /** A new connection may lead to another server after a failover, whose clock is another one. */
  private forgetTime(): void {
    this.isTimeKnown = false
  }

  private async learnTime(): Promise<void> {
    const beforeMs = this.clock.monotonicMs()
    const reply = await this.redis.time()
    this.time.note(timeMs(reply), beforeMs, this.clock.monotonicMs())
    this.isTimeKnown = true
  }

  /**
   * Runs what a library does with Redis, within the time limit. After the limit its commands may
   * still take effect, so they must be harmless at any later time.
   */
  async inTime<T>(work: () => Promise<T>, { signal }: CallOptions): Promise<T> {
    signal.throwIfAborted()
    const answered = new AbortController()
    const dueMs = this.clock.monotonicMs() + this.timeoutMs
    const late = this.clock.sleepUntil(dueMs, { signal: answered.signal }).then(() => {
      throw this.unanswered()
    })
    try {
      return await orAbort(Promise.race([work(), late]), signal)
    } catch (cause) {
      signal.throwIfAborted()
      throw cause instanceof NightscribeError ? cause : redisFailure(cause)
    } finally {
      answered.abort()
      late.catch(() => {}) // the answer came in time
    }
  }

  private unanswered(): UpstreamError {
    return new UpstreamError(
      'queue_unavailable',
      `Redis has not answered for ${this.timeoutMs} ms; is it up, and is NIGHTSCRIBE_REDIS_URL right?`,
    )
  }
}

/** The replies to commands that were sent together. @throws the first one's error */
async function repliesOf(commands: ChainableCommander): Promise<unknown[]> {
  const answers = (await commands.exec()) ?? []
  return answers.map(([error, reply]) => {
    if (error) throw error
    return reply
  })
}

/** Redis' clock out of its reply to `TIME`: µs of the Unix epoch. */
export function timeUs(reply: unknown): number {
  const [seconds, microseconds] = reply as [string, string]
  return Number(seconds) * 1_000_000 + Number(microseconds)
}

/** Redis' clock out of its reply to `TIME`: whole ms of the Unix epoch. */
export function timeMs(reply: unknown): number {
  return Math.floor(timeUs(reply) / 1000)
}
