import { EventEmitter } from 'node:events'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { workerEvents } from '../../../jobs/events.js'
import { runReconciler } from '../../../jobs/reconciler.js'
import { type CallOptions, orAbort } from '../../../src/kernel/abort.js'
import type { RedisCommands } from '../../../src/redis/redis-commands.js'
import { StepClock, settle } from '../../fakes/step-clock.js'

const SOON_MS_MAX = 30_000
const INTERVAL_MS = 600_000

/** A reconciler whose looks end as told; `looks` counts those that began. */
function started({
  look = async () => {},
  isOurTurn = () => true,
}: {
  look?(): Promise<void>
  isOurTurn?(): boolean
}) {
  const clock = new StepClock()
  const seen = { looks: 0, asked: 0, failures: 0 }
  const redis = new EventEmitter()
  const commands = {
    redis,
    key: () => 'key',
    write: async () => {
      seen.asked += 1
      return isOurTurn() ? 1 : 0
    },
  }
  const openIds = async function* ({ signal }: CallOptions) {
    seen.looks += 1
    await orAbort(look(), signal) // as every method of a port ends
    yield* [] as string[]
  }
  const list = async function* () {
    yield* [] as { key: string }[]
  }
  const events = {
    ...workerEvents(pino({ level: 'silent' })),
    reconcileFailed: () => {
      seen.failures += 1
    },
  }
  const stop = new AbortController()
  const random = { uniform: () => 0.5 }
  const work = { clock, random, jobStore: { openIds }, store: { list } }
  const options = {
    ...{ events, signal: stop.signal },
    commands: commands as unknown as RedisCommands,
  }
  type Ports = Parameters<typeof runReconciler>[0]
  const ended = runReconciler(work as unknown as Ports, options)
  return { clock, seen, redis, stop, ended }
}

describe('what Redis has lost is looked for', () => {
  it('at the start, every ten minutes, and soon after Redis is back', async () => {
    const { clock, seen, redis, stop, ended } = started({})
    await settle()
    expect(seen.looks).toBe(1)
    await clock.advance(INTERVAL_MS - 1)
    expect(seen.looks).toBe(1)
    await clock.advance(1)
    expect(seen.looks).toBe(2)
    redis.emit('ready')
    await clock.advance(SOON_MS_MAX / 3)
    expect(seen.looks).toBe(2)
    redis.emit('ready') // once more: what is on its way comes first
    await clock.advance(SOON_MS_MAX / 2)
    expect(seen.looks).toBe(2)
    await clock.advance(SOON_MS_MAX / 2)
    expect(seen.looks).toBe(3)
    stop.abort(new Error('stop'))
    await ended
  })

  it('again soon after a look that failed, or that was the turn of another', async () => {
    let fails = 2
    let foreign = 1
    const look = async () => {
      if (fails-- > 0) throw new Error('no storage')
    }
    const { clock, seen, stop, ended } = started({ look, isOurTurn: () => foreign-- <= 0 })
    await settle()
    expect(seen).toMatchObject({ asked: 1, looks: 0 })
    for (const looks of [1, 2, 3]) {
      await clock.advance(SOON_MS_MAX)
      expect(seen.looks).toBe(looks)
    }
    expect(seen.failures).toBe(2)
    await clock.advance(INTERVAL_MS / 2)
    expect(seen.looks).toBe(3)
    stop.abort(new Error('stop'))
    await ended
  })

  it('and a look that gets no answer holds no stop', async () => {
    const { seen, stop, ended } = started({ look: () => new Promise(() => {}) })
    await settle()
    expect(seen.looks).toBe(1)
    stop.abort(new Error('stop'))
    await ended
    expect(seen.failures).toBe(0)
  })
})
