import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { abortedWithin } from '../../../src/kernel/abort.js'

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
