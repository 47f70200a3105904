import { AssertionError } from 'node:assert'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  CapacityError,
  ConfigError,
  InputError,
  ProtocolError,
  StopRequested,
  UpstreamError,
} from '../../../src/kernel/errors.js'
import { backoffMs, CANCEL_CODE, dispositionOf } from '../../../src/queue/job-disposition.js'

describe('dispositionOf', () => {
  it.each([
    ['an input error', new InputError('media_corrupt', 'x'), 'fail'],
    ['a bug', new AssertionError({ message: 'x' }), 'fail'],
    ['anything unknown', 'x', 'fail'],
    ['an engine that fails', new UpstreamError('engine_crashed', 'x'), 'retry'],
    ['a broken contract', new ProtocolError('engine_protocol', 'x'), 'retry'],
    ['what an operator can mend', new ConfigError('config_invalid', 'x'), 'retry'],
    ['no room', new CapacityError('engine_overloaded', 'x', { retryAfterMs: 5 }), 'wait'],
    ['a cancel', new StopRequested(CANCEL_CODE, 'x'), 'cancel'],
    ['a stop', new StopRequested('internal', 'x'), 'hand-back'],
  ])('%s: %#', (_, thrown, kind) => {
    expect(dispositionOf(thrown, 'transcribe', false).kind).toBe(kind)
    // Without a try left only what would be another try ends otherwise.
    const atLast = kind === 'retry' ? 'fail' : kind
    expect(dispositionOf(thrown, 'transcribe', true).kind).toBe(atLast)
  })

  it('tells a job that waits where it stands', () => {
    const line = { retryAfterMs: 5, place: 2, expectedStartAtMs: 7 }
    const thrown = new CapacityError('engine_overloaded', 'No blocks.', line)
    expect(dispositionOf(thrown, 'transcribe', true)).toEqual({
      kind: 'wait',
      retryAfterMs: 5,
      waiting: { place: 2, expectedStartAtMs: 7, reason: 'No blocks.' },
    })
    const unknown = new CapacityError('engine_overloaded', 'Busy.', { retryAfterMs: 5 })
    expect(dispositionOf(unknown, 'transcribe', true)).toMatchObject({
      waiting: { place: null, expectedStartAtMs: null },
    })
  })
})

describe('backoffMs', () => {
  it('doubles up to its bound, less up to a third', () => {
    const limits = { backoffMs: 1_000, backoffMaxMs: 60_000 }
    const tries = fc.integer({ min: 1, max: 10_000 })
    const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(tries, chance, (number, uniform) => {
        const fullMs = Math.min(60_000, 1_000 * 2 ** (number - 1))
        const waitMs = backoffMs(number, limits, () => uniform)
        expect(waitMs).toBeLessThanOrEqual(fullMs)
        expect(waitMs).toBeGreaterThanOrEqual(Math.floor((fullMs * 2) / 3))
      }),
    )
  })
})
