import { AssertionError } from 'node:assert'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { exitCodeOf } from '../../../src/app/exit-code.js'
import {
  CapacityError,
  ConfigError,
  InputError,
  ProtocolError,
  StopRequested,
  UpstreamError,
} from '../../../src/kernel/errors.js'
import { backoffMs, dispositionOf, JOB_CANCELED } from '../../../src/queue/job-disposition.js'

const running = new AbortController().signal
const attempt = (signal = running) => ({ stage: 'transcribe', signal }) as const
const noRoom = new CapacityError('engine_overloaded', 'x', { retryAfterMs: 5 })

describe('what becomes of a job, and what a command ends with', () => {
  // The table of the house style: class, job, exit code.
  it.each([
    ['ConfigError', new ConfigError('config_invalid', 'x'), 'retry', 2],
    ['InputError', new InputError('media_corrupt', 'x'), 'fail', 1],
    ['CapacityError', noRoom, 'wait', 75],
    ['UpstreamError of an engine', new UpstreamError('engine_crashed', 'x'), 'retry', 75],
    ['UpstreamError of storage', new UpstreamError('storage_unavailable', 'x'), 'retry', 75],
    ['ProtocolError of an engine', new ProtocolError('engine_protocol', 'x'), 'retry', 70],
    ['ProtocolError of anybody else', new ProtocolError('internal', 'x'), 'fail', 70],
    ['AssertionError', new AssertionError({ message: 'x' }), 'fail', 70],
    ['anything unknown', 'x', 'fail', 70],
    ['a cancel', JOB_CANCELED, 'cancel', 130],
  ])('%s', (_, thrown, kind, exitCode) => {
    expect(dispositionOf(thrown, attempt()).kind).toBe(kind)
    expect(exitCodeOf(thrown)).toBe(exitCode)
  })

  it('calls a bug only what no part of ours classified', () => {
    const isBug = (thrown: unknown) => {
      const disposition = dispositionOf(thrown, attempt())
      return disposition.kind === 'fail' && disposition.isBug
    }
    expect(isBug(new AssertionError({ message: 'x' }))).toBe(true)
    expect(isBug(new TypeError('x'))).toBe(true)
    expect(isBug(new InputError('media_corrupt', 'x'))).toBe(false)
    expect(isBug(new ProtocolError('internal', 'x'))).toBe(false)
  })

  it('says of a job that has failed whether the recording is to blame', () => {
    const corrupt = dispositionOf(new InputError('media_corrupt', 'Noise.'), attempt())
    const crashed = dispositionOf(new UpstreamError('engine_crashed', 'Gone.'), attempt())
    const shared = { stage: 'transcribe' }
    const [noise, gone] = [
      { code: 'media_corrupt', detail: 'Noise.', retryable: false, ...shared },
      { code: 'engine_crashed', detail: 'Gone.', retryable: true, ...shared },
    ]
    expect([corrupt, crashed]).toEqual([
      { kind: 'fail', error: noise, isBug: false },
      { kind: 'retry', error: gone },
    ])
  })

  it('tells a job that waits where it stands', () => {
    const line = { retryAfterMs: 5, place: 2, expectedStartAtMs: 7 }
    const thrown = new CapacityError('engine_overloaded', 'No blocks.', line)
    expect(dispositionOf(thrown, attempt())).toEqual({
      kind: 'wait',
      retryAfterMs: 5,
      waiting: { place: 2, expectedStartAtMs: 7, reason: 'No blocks.' },
    })
    expect(dispositionOf(noRoom, attempt())).toMatchObject({
      waiting: { place: null, expectedStartAtMs: null },
    })
  })
})

describe('an attempt that was told to stop', () => {
  const thrown = [
    new UpstreamError('engine_crashed', 'x'),
    new InputError('media_corrupt', 'x'),
    noRoom,
    new TypeError('x'),
    new StopRequested('canceled', 'A part of ours was closed.'),
  ]
  it.each(thrown)('ends by that, whatever it throws: %#', (error) => {
    const canceled = AbortSignal.abort(JOB_CANCELED)
    expect(dispositionOf(error, attempt(canceled)).kind).toBe('cancel')
    const stopped = AbortSignal.abort(new StopRequested('internal', 'x'))
    expect(dispositionOf(error, attempt(stopped)).kind).toBe('hand-back')
  })

  it('is no other than the one whose own signal it was: a part that is closed cancels no job', () => {
    const closed = new StopRequested('canceled', 'The range proxy was closed.')
    expect(dispositionOf(closed, attempt())).toMatchObject({
      kind: 'retry',
      error: { code: 'internal', retryable: true },
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
