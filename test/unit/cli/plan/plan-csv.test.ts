import { describe, expect, it } from 'vitest'
import { parseCsv } from '../../../../src/cli/plan/plan-csv.js'
import { InputError } from '../../../../src/kernel/errors.js'

const NOW_MS = Date.UTC(2026, 10, 21, 20)
const options = { path: 'lengths.csv', pace: 1, lanes: 1, nowMs: NOW_MS }
const parse = (text: string) => parseCsv(text, options)

describe('parseCsv', () => {
  it.each([
    ['a.m4a,90', 90_000],
    ['a.m4a,90.5', 90_500],
    ['a.m4a,2:30', 150_000],
    ['a.m4a,1:02:03', 3_723_000],
    ['a.m4a,75:00', 4_500_000],
    ['a.m4a;90', 90_000],
    [' a.m4a , 90 ', 90_000],
    ['"a.m4a","90"', 90_000],
  ])('reads a length: %s', (line, durationMs) => {
    expect(parse(line)).toMatchObject([{ name: 'a.m4a', durationMs, lengthFrom: 'given' }])
  })

  it('reads names with commas, priorities and deadlines, and skips what is no line', () => {
    const text = [
      '\uFEFFname,duration,priority,by',
      '# the board',
      '"board, ""one""",60,5,2026-11-22T06:00:00Z',
      '',
      'b,60,,',
    ].join('\r\n')
    expect(parse(text)).toMatchObject([
      { name: 'board, "one"', priority: 5, deadlineMs: Date.UTC(2026, 10, 22, 6) },
      { name: 'b', priority: 0, deadlineMs: null },
    ])
  })

  it('gives every line an id of its own, whatever its name', () => {
    const ids = parse('same,60\nsame,60').map(({ id }) => id)
    expect(new Set(ids).size).toBe(2)
  })

  it.each([
    ['', 'holds no lengths'],
    ['name,duration', 'holds no lengths'],
    ['a.m4a', 'line 1, has no duration'],
    ['ok,60\na.m4a,soon', 'line 2, has no duration ("soon")'],
    ['a.m4a,10:99', 'line 1, has no duration ("10:99")'],
    ['a.m4a,0:75:00', 'line 1, has no duration'],
    ['a.m4a,0', 'line 1, has no duration'],
    ['a.m4a,-5', 'line 1, has no duration'],
    ['a.m4a,99999999', 'line 1, has no duration'],
    ['a.m4a,60,1,06:00,x', 'more than four columns'],
    ['a.m4a,60,2000', 'a priority is a whole number from 0 to 1000, not "2000"'],
    ['a.m4a,60,0,never', 'by is a time such as 06:00'],
  ])('refuses %j by file and line', (text, sentence) => {
    expect(() => parse(text)).toThrow(InputError)
    expect(() => parse(text)).toThrow(sentence)
    expect(() => parse(text)).toThrow('lengths.csv')
  })
})
