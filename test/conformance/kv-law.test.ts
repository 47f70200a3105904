import { describe, expect, it } from 'vitest'
import type { KvModel } from '../../src/model/kv-model.js'
import { judgeLook } from './engine/kv-law.js'

const model: KvModel = {
  blockTokens: 32,
  encoderWindowTokens: 189,
  decoderWindowTokens: 8192,
  decoderBlockRatio: 8,
}

/** One delta every 80 ms from `firstMs` on: 3 blocks with the first one, 4 with the 27th. */
function session(firstMs: number, deltas: number, closedMs: number | null = null) {
  const deltasMs = Array.from({ length: deltas }, (_, index) => firstMs + index * 80)
  return { openedMs: firstMs - 2_000, closedMs, deltasMs }
}
const fourthBlockMs = 10_000 + 26 * 80

describe('a look at the blocks of an engine', () => {
  it.each([
    ['before the block is taken', 3, fourthBlockMs - 500, 0],
    ['which is short of it then', 4, fourthBlockMs - 500, 1],
    ['just before, when the answer may be newer than the question', 4, fourthBlockMs - 90, 0],
    ['just before, when the answer may be as old as the question', 3, fourthBlockMs - 90, 0],
    ['just after, when the delta may have been on its way', 3, fourthBlockMs + 90, 0],
    ['well after', 4, fourthBlockMs + 500, 0],
    ['well after, with a block too few', 3, fourthBlockMs + 500, 1],
    ['two off', 6, fourthBlockMs + 500, 2],
  ])('is judged %s', (_, measuredBlocks, askedMs, offBlocks) => {
    const look = { askedMs, answeredMs: askedMs + 5, measuredBlocks }
    const verdict = judgeLook(model, [session(10_000, 100)], look)
    expect(verdict).toEqual({ offBlocks, sessions: 1, isQuiet: true })
  })

  it('sums over all sessions at one and the same moment', () => {
    // Both take a block in the window, the one 60 ms after the other: 6, 7 or 8 blocks.
    const sessions = [session(10_000, 100), session(10_060, 100)]
    const judge = (measuredBlocks: number) => {
      const askedMs = fourthBlockMs + 30
      return judgeLook(model, sessions, { askedMs, answeredMs: askedMs + 5, measuredBlocks })
    }
    expect([5, 6, 7, 8, 9].map((blocks) => judge(blocks).offBlocks)).toEqual([1, 0, 0, 0, 1])
    expect(judge(7).sessions).toBe(2)
  })

  it('counts a session until it is closed, and calls the second around that unquiet', () => {
    const sessions = [session(10_000, 100, 18_000)]
    const judge = (askedMs: number, measuredBlocks: number) =>
      judgeLook(model, sessions, { askedMs, answeredMs: askedMs + 5, measuredBlocks })
    expect(judge(16_500, 5)).toEqual({ offBlocks: 0, sessions: 1, isQuiet: true })
    expect(judge(17_500, 6)).toEqual({ offBlocks: 0, sessions: 1, isQuiet: false })
    expect(judge(18_050, 0)).toEqual({ offBlocks: 0, sessions: 1, isQuiet: false })
    expect(judge(18_500, 0)).toEqual({ offBlocks: 0, sessions: 0, isQuiet: false })
    expect(judge(9_500, 0)).toEqual({ offBlocks: 0, sessions: 0, isQuiet: true })
    expect(judge(20_000, 6)).toEqual({ offBlocks: 6, sessions: 0, isQuiet: true })
  })
})
