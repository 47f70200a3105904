import { getEventListeners } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { abortedWithin, eitherSignal } from '../../../src/kernel/abort.js'

const HOUR_MS = 3_600_000

/** Resolves when it aborts. */
const over = (signal: AbortSignal) =>
  new Promise<unknown>((resolve) => {
    if (signal.aborted) resolve(signal.reason)
    else signal.addEventListener('abort', () => resolve(signal.reason), { once: true })
  })

describe('a signal with a limit of time', () => {
  it('aborts when its parent does, also when that has been', async () => {
    const parent = new AbortController()
    const before = abortedWithin(HOUR_MS, parent.signal)
    parent.abort('enough')
    expect(await over(before)).toBe('enough')
    expect(abortedWithin(HOUR_MS, parent.signal).reason).toBe('enough')
  })

  it('aborts when the time is up, though nobody else holds it and garbage is collected', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const ended = over(abortedWithin(200, new AbortController().signal))
    const busy = setInterval(collect, 20)
    try {
      expect(await ended).toMatchObject({ name: 'TimeoutError' })
    } finally {
      clearInterval(busy)
    }
  })
})

describe('a signal of several', () => {
  it('aborts with the first of them, also when that has been', () => {
    const [one, other] = [new AbortController(), new AbortController()]
    using either = eitherSignal(one.signal, other.signal)
    expect(either.signal.aborted).toBe(false)
    other.abort('enough')
    one.abort('later')
    expect(either.signal.reason).toBe('enough')
    using after = eitherSignal(one.signal, new AbortController().signal)
    expect(after.signal.reason).toBe('later')
  })

  it('leaves nothing behind in those that stay, and hears of them no more', () => {
    const controllers = [new AbortController(), new AbortController()]
    const signals = controllers.map(({ signal }) => signal)
    const either = eitherSignal(...signals)
    expect(signals.map((signal) => getEventListeners(signal, 'abort'))).not.toEqual([[], []])
    either[Symbol.dispose]()
    expect(signals.map((signal) => getEventListeners(signal, 'abort'))).toEqual([[], []])
    controllers[0]?.abort('enough')
    expect(either.signal.aborted).toBe(false)
  })
})
