import { describe, expect, it } from 'vitest'
import { kvOutlook } from '../../../../src/planning/sweep/kv-outlook.js'
import { KvTrace } from '../../../../src/planning/sweep/kv-trace.js'

const model = {
  blockTokens: 16,
  encoderWindowTokens: 189,
  decoderWindowTokens: 8192,
  decoderBlockRatio: 8,
}

describe('kvOutlook', () => {
  it('finds the plateau of eleven minutes', () => {
    const { plateau_blocks, plateau_after_ms } = kvOutlook(model, 1, null)
    expect(plateau_blocks).toBe(78)
    expect(Math.round(plateau_after_ms / 60_000)).toBe(11)
  })

  it.each([
    ['an L40S never fills with 22 sessions', 22, 1728, null],
    // The 42nd decoder block beside 13 of the encoder: 5249 tokens, which are 5211 deltas.
    ['an L40S fills with 32, at 55 blocks each', 32, 1728, (5211 + 6) * 80],
    // The 5th beside the same 13: 513 tokens.
    ['and with 100, at 18 blocks each', 100, 1728, (475 + 6) * 80],
    ['nobody knows how much there is', 100, null, null],
  ])('%s', (_, sessions, blocksMax, fullAfterMs) => {
    expect(kvOutlook(model, sessions, blocksMax).full_after_ms).toBe(fullAfterMs)
  })
})

describe('KvTrace', () => {
  /** One session with so many deltas, one every 80 ms from 0 on. */
  function traceOf(deltas: number): KvTrace {
    const trace = new KvTrace(model)
    trace.turned(0, 0)
    for (let count = 1; count <= deltas; count += 1) trace.delta(0, count, count * 80)
    return trace
  }
  const errorAt = (trace: KvTrace, blocks: number, requestedMs: number) => {
    trace.measured(blocks, { requestedMs, atMs: requestedMs + 10 })
    trace.passed(Number.POSITIVE_INFINITY)
    return trace.samples.at(-1)?.error
  }

  it('takes any value that the law had around the request for right', () => {
    // 90 deltas are 128 tokens: 8 + 1 blocks; the 91st, at 7280 ms, takes it to 9 + 2.
    expect(errorAt(traceOf(91), 9, 7290)).toBe(0)
    expect(errorAt(traceOf(91), 11, 7290)).toBe(0)
    expect(errorAt(traceOf(91), 12, 7290)).toBe(1)
    expect(errorAt(traceOf(91), 7, 7290)).toBe(-2)
    expect(errorAt(traceOf(91), 9, 7500)).toBe(-2)
  })

  it('says nothing within a second after an open or a close', () => {
    const trace = traceOf(91)
    trace.turned(1, 7_285)
    expect(errorAt(trace, 20, 8_000)).toBeNull()
    expect(errorAt(trace, 20, 8_300)).toBe(9)
  })

  it('frees what a session held when it is over', () => {
    const trace = traceOf(91)
    trace.turned(0, 7_300)
    trace.measured(0, { requestedMs: 9_000, atMs: 9_010 })
    expect(trace.samples).toMatchObject([{ predicted: 0, measured: 0 }])
  })
})
