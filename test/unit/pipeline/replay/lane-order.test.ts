import { describe, expect, it } from 'vitest'
import { LaneOrder } from '../../../../src/pipeline/replay/lane-order.js'

const { signal } = new AbortController()

/** Whether a promise has been kept by now. */
async function isKept(promise: Promise<void>): Promise<boolean> {
  let kept = false
  void promise.then(
    () => {
      kept = true
    },
    () => {},
  )
  await new Promise((resolve) => setImmediate(resolve))
  return kept
}

describe('the legs of a lane', () => {
  it('read side by side around a change-over, the second one never far ahead', async () => {
    const order = new LaneOrder()
    const first = order.enter(0)
    const second = order.enter(75)
    const waits = second.reach(75, { signal })
    await first.reach(62, { signal })
    expect(await isKept(waits)).toBe(false)
    await first.reach(63, { signal })
    expect(await isKept(waits)).toBe(true)
    expect(await isKept(second.reach(77, { signal }))).toBe(false)
    expect(await isKept(first.reach(74, { signal }))).toBe(true)
    expect(await isKept(second.reach(86, { signal }))).toBe(true)
  })

  it('wait for nobody who has read all of his, however he ended', async () => {
    const order = new LaneOrder()
    const [first, second, third] = [0, 75, 150].map((frame) => order.enter(frame))
    const waits = third?.reach(150, { signal }) ?? Promise.resolve()
    first?.leave()
    first?.leave()
    expect(await isKept(waits)).toBe(false)
    second?.leave()
    expect(await isKept(waits)).toBe(true)
    expect(await isKept(order.enter(400).reach(400, { signal }))).toBe(false)
  })

  it('stop waiting when they are told to', async () => {
    const order = new LaneOrder()
    order.enter(0)
    const stop = new AbortController()
    const waits = order.enter(75).reach(75, { signal: stop.signal })
    stop.abort(new Error('enough'))
    await expect(waits).rejects.toThrow('enough')
  })
})
