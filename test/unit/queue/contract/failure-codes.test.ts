import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import * as errors from '../../../../src/kernel/errors.js'
import { ERROR_CODES, type ErrorCode } from '../../../../src/kernel/errors.js'
import {
  adviceOn,
  FAILURE_CODES,
  retryHelps,
} from '../../../../src/queue/contract/failure-codes.js'
import { CLASS_RULES } from '../../../../src/queue/job-disposition.js'
import { readRepository } from '../../../tidy/source-text.js'

/** The stable codes of the published contract. */
const CONTRACT = [
  ...['input_not_found', 'input_forbidden', 'no_audio_stream', 'media_corrupt', 'media_too_long'],
  ...['media_too_large', 'media_changed', 'decode_failed', 'engine_unavailable'],
  ...['engine_overloaded', 'session_stalled', 'engine_crashed', 'coverage_below_threshold'],
  ...['output_write_failed', 'canceled', 'deadline_missed', 'internal'],
]

/** Where our code makes an error with a code that stands beside the class. */
const THROWN =
  /new (ConfigError|InputError|CapacityError|UpstreamError|ProtocolError)\(\s*'([a-z_]+)'/g

describe('the codes that a job can end with', () => {
  it('are all explained, and those of the contract are among them', () => {
    expect(Object.keys(FAILURE_CODES).sort()).toEqual([...ERROR_CODES].sort())
    expect(ERROR_CODES).toEqual(expect.arrayContaining(CONTRACT))
    expect(new Set(ERROR_CODES).size).toBe(ERROR_CODES.length)
  })

  it('are carried by classes that have a rule, and every class of ours but the stop has one', () => {
    const classes = Object.values(errors).flatMap((value) =>
      typeof value === 'function' && value.prototype instanceof errors.NightscribeError
        ? [value.name]
        : [],
    )
    expect([...Object.keys(CLASS_RULES), 'StopRequested'].sort()).toEqual(classes.sort())
    for (const { carriedBy } of Object.values(FAILURE_CODES)) {
      for (const name of carriedBy) expect(CLASS_RULES).toHaveProperty(name)
    }
  })

  it('are thrown with those classes alone, everywhere', () => {
    const files = readRepository(fileURLToPath(new URL('../../../..', import.meta.url)))
    const ours = files.filter(({ path }) => /^(src|jobs|gpu)\/.*\.ts$/.test(path))
    const pairs = ours.flatMap(({ path, text }) =>
      [...text.matchAll(THROWN)].map(([, name = '', code = '']) => ({ path, name, code })),
    )
    expect(pairs.length).toBeGreaterThan(100)
    const wrong = pairs.filter(
      ({ name, code }) =>
        !(FAILURE_CODES[code as ErrorCode].carriedBy as readonly string[]).includes(name),
    )
    expect(wrong).toEqual([])
  })

  it.each(ERROR_CODES)('%s: a title, and one sentence of advice', (code) => {
    const { title } = FAILURE_CODES[code]
    expect(title).toMatch(/^[A-Z].*[^.]$/)
    const advice = adviceOn(code, 'abc')
    expect(advice).toMatch(/^[A-Z].*\.$/)
    expect(advice).not.toMatch(/[{}]/)
    expect(advice.includes('`nightscribe jobs retry abc`')).toBe(retryHelps(code))
  })

  it('of an engine, of storage and of the queue are such that a retry helps', () => {
    const others = ERROR_CODES.filter((code) =>
      FAILURE_CODES[code].carriedBy.includes('UpstreamError'),
    )
    expect(others.length).toBeGreaterThan(8)
    for (const code of others) expect(retryHelps(code)).toBe(true)
  })
})
