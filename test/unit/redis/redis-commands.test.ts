import { EventEmitter } from 'node:events'
import type { ChainableCommander, Redis } from 'ioredis'
import { describe, expect, it } from 'vitest'
import type { CallOptions } from '../../../src/kernel/abort.js'
import { sleepFor } from '../../../src/kernel/clock.js'
import { StopRequested } from '../../../src/kernel/errors.js'
import { ANSWER_TIMEOUT_MS, RedisCommands } from '../../../src/redis/redis-commands.js'
import { redisScript } from '../../../src/redis/redis-script.js'
import { OPEN } from '../../fakes/open-signal.js'
import { StepClock, settle } from '../../fakes/step-clock.js'

/** Redis' clock is this much ahead of ours, ms. */
const AHEAD_MS = 1_000_000
const SCRIPT = redisScript('return args[1]')
const CALL = { keys: ['key'], args: ['answer'] }

/** A Redis on the step clock: answers at once, never, or each call after `delayMs` on its way. */
class SteppedRedis extends EventEmitter {
  readonly clock = new StepClock()
  isSilent = false
  delayMs = 0
  aheadMs = AHEAD_MS
  readonly executed: unknown[] = []
  readonly commands = new RedisCommands({
    redis: this as unknown as Redis,
    prefix: 'p',
    clock: this.clock,
  })

  async time(): Promise<[string, string]> {
    await this.onItsWay()
    const nowMs = this.nowMs()
    return [String(Math.floor(nowMs / 1_000)), String((nowMs % 1_000) * 1_000)]
  }

  async eval(_: string, __: number, ___: string, untilMs: number, argument: unknown) {
    await this.onItsWay()
    if (this.nowMs() > untilMs) return [this.nowMs(), 0]
    this.executed.push(argument)
    return [this.nowMs(), 1, argument]
  }

  async get(): Promise<string> {
    await this.onItsWay()
    return 'value'
  }

  pipeline(): ChainableCommander {
    const exec = async () => [[null, await this.get()]]
    return { get: () => ({ exec }) } as unknown as ChainableCommander
  }

  private nowMs(): number {
    return this.clock.monotonicMs() + this.aheadMs
  }

  private async onItsWay(): Promise<void> {
    if (this.isSilent) await new Promise(() => {})
    if (this.delayMs > 0) await sleepFor(this.clock, this.delayMs, OPEN)
  }
}

const ASKED: Record<string, (commands: RedisCommands, options: CallOptions) => Promise<unknown>> = {
  'a read': (commands, options) => commands.read((redis) => redis.get('key'), options),
  'several reads': (commands, options) => commands.readAll((read) => read.get('key'), options),
  'a write': (commands, options) => commands.write(SCRIPT, CALL, options),
  'work of a library': (commands, options) =>
    commands.inTime(() => commands.redis.get('key'), options),
}

/** What became of a call, as soon as something has. */
function outcomeOf(call: Promise<unknown>) {
  const outcome: { answer?: unknown; error?: unknown } = {}
  const answered = (answer: unknown) => Object.assign(outcome, { answer })
  call.then(answered, (error) => Object.assign(outcome, { error }))
  return outcome
}

describe('a Redis that does not answer', () => {
  it.each(Object.entries(ASKED))('%s is given up after exactly the limit', async (_, ask) => {
    const redis = new SteppedRedis()
    redis.isSilent = true
    const outcome = outcomeOf(ask(redis.commands, OPEN))
    await redis.clock.advance(ANSWER_TIMEOUT_MS - 1)
    expect(outcome).toEqual({})
    await redis.clock.advance(1)
    expect(outcome.error).toMatchObject({ name: 'UpstreamError', code: 'queue_unavailable' })
    expect(String(outcome.error)).toContain(`${ANSWER_TIMEOUT_MS} ms`)
    expect(redis.clock.sleeping).toBe(0)
  })

  it.each(Object.entries(ASKED))('%s ends with its signal, also one that has', async (_, ask) => {
    const redis = new SteppedRedis()
    redis.isSilent = true
    const stop = new AbortController()
    const reason = new StopRequested('internal', 'Enough.')
    const outcome = outcomeOf(ask(redis.commands, { signal: stop.signal }))
    await settle()
    stop.abort(reason)
    await settle()
    expect(outcome.error).toBe(reason)
    await expect(ask(redis.commands, { signal: stop.signal })).rejects.toBe(reason)
  })
})

describe('a write', () => {
  it('to a server that has taken over with an older clock takes no effect late', async () => {
    const redis = new SteppedRedis()
    await redis.commands.write(SCRIPT, CALL, OPEN)
    redis.aheadMs -= 60_000
    redis.emit('ready')
    redis.delayMs = ANSWER_TIMEOUT_MS
    const late = outcomeOf(redis.commands.write(SCRIPT, CALL, OPEN))
    await redis.clock.advance(ANSWER_TIMEOUT_MS * 3)
    expect(late.error).toMatchObject({ code: 'queue_unavailable' })
    expect(redis.executed).toHaveLength(1)
  })

  it('takes effect with an answer within the limit, and none after it', async () => {
    const redis = new SteppedRedis()
    const { commands, clock } = redis
    expect(await commands.write(SCRIPT, CALL, OPEN)).toBe('answer')
    redis.delayMs = ANSWER_TIMEOUT_MS * 0.9
    const inTime = outcomeOf(commands.write(SCRIPT, CALL, OPEN))
    await clock.advance(ANSWER_TIMEOUT_MS)
    expect(inTime).toEqual({ answer: 'answer' })
    redis.delayMs = ANSWER_TIMEOUT_MS * 0.9 + 1
    const late = outcomeOf(commands.write(SCRIPT, CALL, OPEN))
    await clock.advance(ANSWER_TIMEOUT_MS)
    expect(late.error).toMatchObject({ code: 'queue_unavailable' })
    expect(redis.executed).toHaveLength(2)
  })

  it('that is the first to ask, of a Redis that was stopped, takes no effect late', async () => {
    const redis = new SteppedRedis()
    redis.delayMs = ANSWER_TIMEOUT_MS * 0.8 // half of it might have been the answer's way
    const late = outcomeOf(redis.commands.write(SCRIPT, CALL, OPEN))
    await redis.clock.advance(ANSWER_TIMEOUT_MS * 3)
    expect(late.error).toMatchObject({ code: 'queue_unavailable' })
    expect(redis.executed).toEqual([])
  })

  it.each([-3_600_000, 3_600_000])(
    "follows Redis' clock where that has jumped by %i ms, as after a failover",
    async (jumpMs) => {
      const redis = new SteppedRedis()
      await redis.commands.write(SCRIPT, CALL, OPEN)
      redis.aheadMs += jumpMs
      expect(await redis.commands.write(SCRIPT, CALL, OPEN)).toBe('answer')
      redis.delayMs = ANSWER_TIMEOUT_MS
      const late = outcomeOf(redis.commands.write(SCRIPT, CALL, OPEN))
      await redis.clock.advance(ANSWER_TIMEOUT_MS * 3)
      expect(late.error).toMatchObject({ code: 'queue_unavailable' })
      expect(redis.executed).toHaveLength(2)
    },
  )
})
