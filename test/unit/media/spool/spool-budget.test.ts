import { describe, expect, it } from 'vitest'
import { settingsSchema } from '../../../../src/config/schema.js'
import { ConfigError } from '../../../../src/kernel/errors.js'
import { STRETCH_FRAMES } from '../../../../src/media/spool/lane-reader.js'
import { SpoolBudget } from '../../../../src/media/spool/spool-budget.js'
import { FRAME_BYTES } from '../../../../src/model/pcm.js'

const never = new AbortController().signal

/** The names in the order in which their reservations were granted. */
function watch(budget: SpoolBudget, granted: string[]) {
  return (name: string, bytes: number, signal = never) => {
    const reservation = budget.reserve(bytes, { signal })
    reservation.then(
      () => granted.push(name),
      () => granted.push(`${name} rejected`),
    )
    return reservation
  }
}
const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('SpoolBudget', () => {
  it('grants in order of arrival and never more than there is', async () => {
    const budget = new SpoolBudget(100)
    const granted: string[] = []
    const reserve = watch(budget, granted)
    const first = await reserve('first', 60)
    const large = reserve('large', 90)
    const small = reserve('small', 10)
    await turn()
    expect(granted).toEqual(['first'])
    first[Symbol.dispose]()
    first[Symbol.dispose]()
    await Promise.all([large, small])
    expect(granted).toEqual(['first', 'large', 'small'])
    expect(budget.bytesUsed).toBe(100)
  })

  it('lets those behind in when a waiter goes away', async () => {
    const budget = new SpoolBudget(100)
    const granted: string[] = []
    const reserve = watch(budget, granted)
    const stop = new AbortController()
    await reserve('first', 60)
    const gone = reserve('gone', 90, stop.signal)
    const small = reserve('small', 40)
    stop.abort(new Error('no longer wanted'))
    await expect(gone).rejects.toThrow('no longer wanted')
    await small
    expect(budget.bytesUsed).toBe(100)
  })

  it('refuses what could never fit: the setting, its value, what is needed, what to do', async () => {
    const refused = new SpoolBudget(100).reserve(101, { signal: never })
    await expect(refused).rejects.toThrow(
      /^media\.spoolBytesMax is 100 bytes, .* takes 101: set it \(NIGHTSCRIBE_MEDIA_SPOOL_BYTES_MAX\)/,
    )
    await expect(refused).rejects.toBeInstanceOf(ConfigError)
  })

  it('has room for what a lane holds, and for a second one, at the least that may be set', async () => {
    const leastBytes = 16 * 2 ** 20
    const settings = (spoolBytesMax: number) => ({ media: { spoolBytesMax } })
    expect(settingsSchema.parse(settings(leastBytes))).toMatchObject(settings(leastBytes))
    expect(settingsSchema.safeParse(settings(leastBytes - 1)).success).toBe(false)
    expect(4 * STRETCH_FRAMES * FRAME_BYTES).toBeLessThanOrEqual(leastBytes)
  })
})
