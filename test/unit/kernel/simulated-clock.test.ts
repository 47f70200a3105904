import { setMaxListeners } from 'node:events'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sleepFor } from '../../../src/kernel/clock.js'
import { StopRequested } from '../../../src/kernel/errors.js'
import { SimulatedClock } from '../../../src/kernel/simulated-clock.js'

const { signal } = new AbortController()
setMaxListeners(0, signal) // many sleep at a time
const stop = new StopRequested('internal', 'Enough.')

describe('a simulated clock', () => {
  it('begins where it is told to, and shows one time on both of its sides', async () => {
    const clock = new SimulatedClock(5_000)
    expect([clock.monotonicMs(), clock.wallMs()]).toEqual([5_000, 5_000])
    await clock.run(clock.sleepUntil(5_250.5, { signal }))
    expect([clock.monotonicMs(), clock.wallMs()]).toEqual([5_250.5, 5_250.5])
    expect(new SimulatedClock().monotonicMs()).toBe(0)
  })

  it('lets hours pass at once', async () => {
    const clock = new SimulatedClock()
    const hour = async () => {
      for (let second = 0; second < 3_600; second += 1) await sleepFor(clock, 1_000, { signal })
      return 'over'
    }
    expect(await clock.run(hour())).toBe('over')
    expect(clock.monotonicMs()).toBe(3_600_000)
  })

  it('wakes whoever is due first, and of equals who came first, each at its time', async () => {
    const times = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(times, async (dueMs) => {
        const clock = new SimulatedClock()
        const woken: { at: number; due: number; shown: number }[] = []
        const sleep = async (due: number, at: number) => {
          await clock.sleepUntil(due, { signal })
          woken.push({ at, due, shown: clock.monotonicMs() })
        }
        await clock.run(Promise.all(dueMs.map(sleep)))
        const byTime = dueMs
          .map((due, at) => ({ at, due, shown: due }))
          .sort((one, other) => one.due - other.due || one.at - other.at)
        expect(woken).toEqual(byTime)
      }),
      { numRuns: 60 },
    )
  })

  it('does all that follows from one wake before the next one', async () => {
    const clock = new SimulatedClock()
    const log: string[] = []
    const first = async () => {
      await clock.sleepUntil(10, { signal })
      for (let step = 0; step < 30; step += 1) await Promise.resolve()
      log.push(`first at ${clock.monotonicMs()}`)
      await clock.sleepUntil(15, { signal })
      log.push(`again at ${clock.monotonicMs()}`)
    }
    const second = async () => {
      await clock.sleepUntil(20, { signal })
      log.push(`second at ${clock.monotonicMs()}`)
    }
    await clock.run(Promise.all([second(), first()]))
    expect(log).toEqual(['first at 10', 'again at 15', 'second at 20'])
  })

  it('wakes at once who asks for a time that has come', async () => {
    const clock = new SimulatedClock(100)
    await clock.sleepUntil(100, { signal })
    await clock.sleepUntil(-5, { signal })
    expect(clock.monotonicMs()).toBe(100)
  })

  it('stops with the work, and leaves everybody else asleep', async () => {
    const clock = new SimulatedClock()
    let isAwake = false
    const later = clock.sleepUntil(1_000, { signal }).then(() => {
      isAwake = true
    })
    await clock.run(clock.sleepUntil(400, { signal }))
    expect([isAwake, clock.monotonicMs()]).toEqual([false, 400])
    await clock.run(later)
    expect([isAwake, clock.monotonicMs()]).toEqual([true, 1_000])
  })
})

describe('who is told to stop', () => {
  it('does not fall asleep', async () => {
    const clock = new SimulatedClock()
    const stopped = AbortSignal.abort(stop)
    await expect(clock.sleepUntil(50, { signal: stopped })).rejects.toBe(stop)
    await expect(clock.sleepUntil(0, { signal: stopped })).rejects.toBe(stop)
  })

  it('wakes at that moment, and its own time comes without a sign', async () => {
    const clock = new SimulatedClock()
    const controller = new AbortController()
    const sleeper = clock.sleepUntil(80, { signal: controller.signal })
    const outcome = sleeper.catch((reason) => ({ reason, atMs: clock.monotonicMs() }))
    const stopping = async () => {
      await clock.sleepUntil(30, { signal })
      controller.abort(stop)
      await clock.sleepUntil(60, { signal })
    }
    await clock.run(stopping())
    expect(await outcome).toEqual({ reason: stop, atMs: 30 })
    await clock.run(clock.sleepUntil(90, { signal }))
    expect(clock.monotonicMs()).toBe(90)
  })

  it('is no longer one for whom time passes', async () => {
    const clock = new SimulatedClock()
    const controller = new AbortController()
    const slept = clock.sleepUntil(80, { signal: controller.signal }).catch(() => 'stopped')
    controller.abort(stop)
    const hanging = clock.run(new Promise(() => {}))
    await expect(hanging).rejects.toThrow('Everything waits for ever at 0 ms.')
    expect(await slept).toBe('stopped')
  })
})

describe('the work of a run', () => {
  it('fails the run as it failed itself', async () => {
    const clock = new SimulatedClock()
    const failing = async () => {
      await sleepFor(clock, 7, { signal })
      throw stop
    }
    await expect(clock.run(failing())).rejects.toBe(stop)
    expect(clock.monotonicMs()).toBe(7)
  })

  it('that waits for what never comes is found out, with the time', async () => {
    const clock = new SimulatedClock()
    const hanging = async () => {
      await sleepFor(clock, 1_500, { signal })
      await new Promise(() => {})
    }
    await expect(clock.run(hanging())).rejects.toThrow('Everything waits for ever at 1500 ms.')
  })
})
