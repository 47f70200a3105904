import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { TimerHeap } from '../../../src/kernel/timer-heap.js'

describe('TimerHeap', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 0, toFake: ['setTimeout', 'clearTimeout', 'Date'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })
  const heapOnFakeTime = () => new TimerHeap(() => Date.now())
  const open = () => new AbortController().signal

  it('wakes sleepers in the order of their times with one timer at a time', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 500 }), { maxLength: 60 }),
        async (dues) => {
          vi.setSystemTime(0)
          const heap = heapOnFakeTime()
          const woken: number[] = []
          const all = dues.map((due) => heap.sleepUntil(due, open()).then(() => woken.push(due)))
          expect(vi.getTimerCount()).toBeLessThanOrEqual(1)
          await vi.advanceTimersByTimeAsync(600)
          await Promise.all(all)
          expect(woken).toEqual([...dues].sort((a, b) => a - b))
          expect(vi.getTimerCount()).toBe(0)
        },
      ),
      { numRuns: 50 },
    )
  })

  it('does not wait for what is due already', async () => {
    await expect(heapOnFakeTime().sleepUntil(0, open())).resolves.toBeUndefined()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('rejects with the reason of the signal and leaves no timer behind', async () => {
    const heap = heapOnFakeTime()
    const controller = new AbortController()
    const sleeping = heap.sleepUntil(1_000, controller.signal)
    const reason = new Error('stop')
    controller.abort(reason)
    await expect(sleeping).rejects.toBe(reason)
    expect(vi.getTimerCount()).toBe(0)
    await expect(heap.sleepUntil(2_000, controller.signal)).rejects.toBe(reason)
  })

  it('wakes the others when one aborts', async () => {
    const heap = heapOnFakeTime()
    const controller = new AbortController()
    const aborted = heap.sleepUntil(10, controller.signal).catch(() => 'aborted')
    const other = heap.sleepUntil(20, open()).then(() => 'woken')
    controller.abort(new Error('stop'))
    await vi.advanceTimersByTimeAsync(30)
    expect(await Promise.all([aborted, other])).toEqual(['aborted', 'woken'])
  })
})
