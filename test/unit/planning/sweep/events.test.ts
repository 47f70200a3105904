import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeEvent, encodeEvent, type SweepEvent } from '../../../../src/planning/sweep/events.js'

const tenths = fc.integer({ min: 0, max: 10 ** 9 }).map((units) => units / 10)
const session = fc.integer({ min: 0, max: 999 })
const number = fc.option(fc.integer({ min: 0, max: 10_000 }), { nil: null })
const event: fc.Arbitrary<SweepEvent> = fc.oneof(
  fc.record({ kind: fc.constant('frame' as const), session, atMs: tenths, slipMs: tenths }),
  fc.record({ kind: fc.constant('delta' as const), session, atMs: tenths, hasText: fc.boolean() }),
  fc.record({
    kind: fc.constant('ended' as const),
    session,
    atMs: tenths,
    outcome: fc.constantFrom('ok' as const, 'timeout' as const),
    code: fc.option(fc.string(), { nil: null }),
    verified: fc.option(fc.boolean(), { nil: null }),
    textChars: number,
  }),
  fc.record({
    kind: fc.constant('gauges' as const),
    atMs: tenths,
    requestedMs: tenths,
    kvUsage: fc.constantFrom(null, 0, 0.25, 1),
    kvBlocks: number,
    waitingCapacity: number,
    deferred: number,
    preemptions: number,
    websocketConnections: number,
  }),
  fc.record({
    kind: fc.constant('step_started' as const),
    atMs: tenths,
    sessions: session,
    pace: fc.constantFrom(0.5, 1, 20),
    audioMs: tenths,
    deltaDelayMs: tenths,
    kvBlocksMax: number,
    kvModel: fc.constantFrom(null, {
      blockTokens: 16,
      encoderWindowTokens: 189,
      decoderWindowTokens: 8192,
      decoderBlockRatio: 8,
    }),
    othersConnected: number,
  }),
)

describe('events.ndjson', () => {
  it('gives back every event, each on one line', () => {
    fc.assert(
      fc.property(event, (written) => {
        const line = encodeEvent(written)
        expect(line).not.toContain('\n')
        expect(decodeEvent(line)).toEqual(written)
      }),
    )
  })

  it('is short where it is long: a frame and a delta are arrays', () => {
    expect(encodeEvent({ kind: 'frame', session: 7, atMs: 12.345, slipMs: 0.04 })).toBe(
      '["f",7,12.3,0]',
    )
    expect(encodeEvent({ kind: 'delta', session: 7, atMs: 99.96, hasText: true })).toBe(
      '["d",7,100,1]',
    )
  })

  it('has snake case outside', () => {
    expect(encodeEvent({ kind: 'warmed_up', atMs: 1, durationMs: 2.000_01 })).toBe(
      '{"kind":"warmed_up","at_ms":1,"duration_ms":2}',
    )
  })
})
