import { describe, expect, it } from 'vitest'
import {
  COMMAND_LINE_NAMES,
  fieldNames,
  PRIORITY_MAX,
  parseSubmission,
  SUBMISSION_DEFAULTS,
} from '../../../../src/queue/contract/submission-options.js'

const NOW_MS = Date.parse('2026-11-21T12:00:00Z')
const parse = (raw: Parameters<typeof parseSubmission>[0], names = COMMAND_LINE_NAMES) =>
  parseSubmission(raw, { names, nowMs: NOW_MS })

describe('the options of a submission', () => {
  it('have defaults', () => {
    expect(parse({})).toEqual(SUBMISSION_DEFAULTS)
    expect(parse({ deadlineAt: undefined })).toEqual(SUBMISSION_DEFAULTS)
  })

  it.each([
    [{ channels: 'split' }, { channels: 'split' }],
    [{ pace: 'max' }, { pace: 'max' }],
    [{ pace: '2.5' }, { pace: 2.5 }],
    [{ pace: 0.1 }, { pace: 0.1 }],
    [{ pace: 20 }, { pace: 20 }],
    [{ priority: '1000' }, { priority: PRIORITY_MAX }],
    [{ priority: 7 }, { priority: 7 }],
    [{ deadlineAt: null }, { deadlineAt: null }],
    [{ deadlineAt: '2026-11-22T06:00:00Z' }, { deadlineAt: '2026-11-22T06:00:00.000Z' }],
    [{ tenant: 'team-7' }, { tenant: 'team-7' }],
  ])('%j are taken as values or as texts', (raw, changes) => {
    expect(parse(raw)).toEqual({ ...SUBMISSION_DEFAULTS, ...changes })
  })

  it('take a time of day as the next one that the local clock shows', () => {
    const { deadlineAt } = parse({ deadlineAt: '06:00' })
    const due = new Date(deadlineAt ?? '')
    expect([due.getHours(), due.getMinutes()]).toEqual([6, 0])
    const aheadMs = due.getTime() - NOW_MS
    expect([aheadMs > 0, aheadMs <= 25 * 3_600_000]).toEqual([true, true])
  })

  it.each([
    [{ channels: 'both' }, '--channels takes mix or split, not "both".'],
    [{ pace: 'slow' }, '--pace takes a number from 0.1 to 20, or max, not "slow".'],
    [{ pace: '0.05' }, '--pace takes a number from 0.1 to 20, or max, not "0.05".'],
    [{ pace: 21 }, '--pace takes a number from 0.1 to 20, or max, not "21".'],
    [{ pace: '' }, '--pace takes a number from 0.1 to 20, or max, not "".'],
    [{ priority: '1.5' }, '--priority takes a whole number from 0 to 1000, not "1.5".'],
    [{ priority: -1 }, '--priority takes a whole number from 0 to 1000, not "-1".'],
    [{ priority: 1001 }, '--priority takes a whole number from 0 to 1000, not "1001".'],
    [{ priority: null }, '--priority takes a whole number from 0 to 1000, not "null".'],
    [{ deadlineAt: 'soon' }, '--by takes a time such as 06:00 or 2026-11-22T06:00, not "soon".'],
    [{ deadlineAt: '25:00' }, '--by takes a time such as 06:00 or 2026-11-22T06:00, not "25:00".'],
    [{ tenant: 'A b' }, 'tenant takes 1 to 40 of a-z, 0-9 and -, not "A b".'],
  ])('%j are refused with what they take, in the words of the command line', (raw, message) => {
    expect(() => parse(raw)).toThrow(expect.objectContaining({ name: 'InputError', message }))
  })

  it('are called by each face as it calls them, all that are wrong at once', () => {
    const wrong = { pace: 'x', deadlineAt: 'y' }
    const takes = ['takes a number from 0.1 to 20, or max, not "x".', 'takes a time such as']
    expect(() => parse(wrong, fieldNames())).toThrow(
      new RegExp(`^pace ${takes[0]} deadline_at ${takes[1]}`),
    )
    expect(() => parse(wrong, fieldNames('options.'))).toThrow(
      new RegExp(`^options\\.pace ${takes[0]} options\\.deadline_at ${takes[1]}`),
    )
  })
})
