import { describe, expect, it } from 'vitest'
import { pauseFor } from '../../../src/kernel/clock.js'
import { SimulatedClock } from '../../../src/kernel/simulated-clock.js'

describe('a pause of a loop', () => {
  it('takes its time', async () => {
    const clock = new SimulatedClock()
    const { signal } = new AbortController()
    await clock.run(pauseFor(clock, 500, { signal }))
    expect(clock.monotonicMs()).toBe(500)
  })

  it('ends with a stop, before or in the middle of it, and that is no error', async () => {
    const clock = new SimulatedClock()
    const stop = new AbortController()
    const pause = pauseFor(clock, 500, stop)
    stop.abort(new Error('told to stop'))
    await pause
    await pauseFor(clock, 500, stop)
    expect(clock.monotonicMs()).toBe(0)
  })

  it('tells what went wrong with the clock itself', async () => {
    const broken = {
      monotonicMs: () => 0,
      wallMs: () => 0,
      sleepUntil: () => Promise.reject(new Error('no timer')),
    }
    const { signal } = new AbortController()
    await expect(pauseFor(broken, 1, { signal })).rejects.toThrow('no timer')
  })
})
