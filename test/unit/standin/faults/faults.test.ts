import { describe, expect, it } from 'vitest'
import { FaultPlan, parseFault } from '../../../../gpu/standin/faults/faults.js'

describe('a fault on the command line', () => {
  it.each([
    ['no_done', { kind: 'no_done' }],
    ['stall:after_deltas=50,count=1', { kind: 'stall', afterDeltas: 50, count: 1 }],
    ['drop:sessions=0+3', { kind: 'drop', sessions: [0, 3] }],
    ['engine_death:down_ms=-1,abrupt=1', { kind: 'engine_death', downMs: -1, abrupt: 1 }],
    ['close:code=1011,at=final,count=1', { kind: 'close', code: 1011, at: 'final', count: 1 }],
    ['error_frame:code=unknown_event', { kind: 'error_frame', code: 'unknown_event' }],
  ])('%s is %j', (text, fault) => {
    expect(parseFault(text)).toEqual(fault)
  })

  it.each([
    ['explode', 'the kinds are engine_death, no_greeting, drop, close'],
    ['toString', 'the kinds are'],
    ['stall:', 'stall takes after_deltas, sessions, count'],
    ['stall:every_ms=5', 'stall takes after_deltas, sessions, count'],
    ['stall:afterDeltas=5', 'stall takes after_deltas'],
    ['stall:after_deltas=many', 'after_deltas must be a whole number'],
    ['stall:after_deltas=', 'after_deltas must be a whole number'],
    ['stall:after_deltas=1+2', 'after_deltas must be a whole number'],
    ['close:at=noon', 'at is one of greeting, update, delta, final, done'],
    ['close:code=early', 'code must be a whole number'],
    ['error_frame:code=1011', 'code is one of invalid_json, invalid_event'],
    ['stall:sessions=a', 'sessions must be a whole number, or some with +'],
  ])('%s is not understood', (text, hint) => {
    expect(() => parseFault(text)).toThrow(hint)
    expect(() => parseFault(text)).toThrow(`--fault ${text} is not understood`)
  })
})

describe('a fault plan', () => {
  it('deals a fault to the sessions that it names, so many at most', () => {
    const plan = new FaultPlan([
      { kind: 'stall', afterDeltas: 5, sessions: [1, 2, 3], count: 2 },
      { kind: 'ack_update' },
    ])
    const dealt = [0, 1, 2, 3].map((index) => plan.deal(index))
    expect(dealt.map((faults) => faults.of('stall')?.afterDeltas)).toEqual([
      undefined,
      5,
      5,
      undefined,
    ])
    expect(dealt.every((faults) => faults.of('ack_update'))).toBe(true)
    expect(dealt[1]?.isDue('stall', 4)).toBe(false)
    expect(dealt[1]?.isDue('stall', 5)).toBe(true)
    expect(dealt[0]?.isDue('stall', 5)).toBe(false)
  })

  it('fills in the defaults', () => {
    const faults = new FaultPlan([{ kind: 'blank_run', toDelta: 120 }]).deal(0)
    expect(faults.of('blank_run')).toMatchObject({ fromDelta: 100, toDelta: 120 })
    expect([99, 100, 120, 121].map((index) => faults.isBlank(index))).toEqual([
      false,
      true,
      true,
      false,
    ])
  })

  it('closes at the moment that it was told, and tells an error once', () => {
    const faults = new FaultPlan([
      { kind: 'close', code: 1012, afterDeltas: 3 },
      { kind: 'error_frame', code: 'unknown_event', afterDeltas: 2 },
    ]).deal(0)
    expect(
      ['greeting', 'update', 'final', 'done'].map((at) => faults.closesAt(at as 'done')),
    ).toEqual([null, null, null, null])
    expect([2, 3, 4].map((deltas) => faults.closesAt('delta', deltas))).toEqual([null, 1012, 1012])
    expect([1, 2, 3].map((deltas) => faults.takeError(deltas))).toEqual([
      ...[null, 'unknown_event', null],
    ])
    const other = new FaultPlan([{ kind: 'close', at: 'final' }]).deal(0)
    expect([other.closesAt('final'), other.closesAt('delta', 1_000)]).toEqual([1011, null])
  })

  it('counts appends by the utterance', () => {
    const faults = new FaultPlan([
      { kind: 'buffer_full', afterAppends: 1, times: 2 },
      { kind: 'invalid_audio', afterBytes: 25 },
    ]).deal(0)
    const answers = () => Array.from({ length: 5 }, () => faults.onAppend(10))
    const expected = [null, 'buffer_full', 'buffer_full', null, 'invalid_audio']
    expect(answers()).toEqual(expected)
    faults.onUtteranceEnd()
    expect(answers()).toEqual(expected)
  })
})
