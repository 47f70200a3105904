import { describe, expect, it } from 'vitest'
import { parsePlanOptions, type RawPlanOptions } from '../../../../src/cli/plan/plan-options.js'
import { InputError } from '../../../../src/kernel/errors.js'

const NOW_MS = Date.UTC(2026, 10, 21, 20)
const raw: RawPlanOptions = { channels: 'mix', pace: '1', ceiling: 'on', seed: '1' }

describe('parsePlanOptions', () => {
  it('takes settings for what is not given', () => {
    expect(parsePlanOptions(raw, NOW_MS)).toEqual({
      ...{ csv: null, channels: 'mix', pace: 1, byMs: null, policy: null, compare: false },
      ...{ ceiling: 'on', gpu: null, engines: null, pricePerHour: null, seed: 1 },
      ...{ all: false, json: false },
    })
  })

  it('reads a moment', () => {
    const { byMs } = parsePlanOptions({ ...raw, by: '2026-11-22T06:00:00Z' }, NOW_MS)
    expect(byMs).toBe(Date.UTC(2026, 10, 22, 6))
  })

  it.each([
    [{ policy: 'greedy' }, '--policy takes fixed, reserve, profile, elastic, not "greedy"'],
    [{ ceiling: 'none' }, '--ceiling takes on or off'],
    [{ engines: '0' }, '--engines takes a whole number from 1 to 256'],
    [{ engines: '2.5' }, '--engines takes'],
    [{ price: '' }, '--price takes'],
    [{ price: '-1' }, '--price takes'],
    [{ seed: 'x' }, '--seed takes'],
    [{ by: 'soon' }, '--by takes a time such as 06:00'],
    [{ by: '2026-11-21T06:00:00Z' }, '--by takes a time that is still to come'],
    [{ pace: '99' }, '--pace takes'],
  ])('refuses %j', (changes, sentence) => {
    const options = { ...raw, ...changes }
    expect(() => parsePlanOptions(options, NOW_MS)).toThrow(InputError)
    expect(() => parsePlanOptions(options, NOW_MS)).toThrow(sentence)
  })
})
