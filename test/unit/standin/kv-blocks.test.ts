import { expect, it } from 'vitest'
import { kvBlocksHeld } from '../../../gpu/standin/kv-blocks.js'
import { deltasDue } from '../../../src/media/step-law.js'

// From vLLM's own KV cache manager, 0.25 and newer, blocks of 16 tokens.
it.each([
  [1, 4],
  [5, 7],
  [10, 12],
  [20, 16],
  [30, 17],
  [60, 19],
  [90, 23],
  [120, 25],
  [180, 31],
  [300, 43],
  [600, 72],
])('a session of %d s holds %d KV blocks', (ageS, blocks) => {
  expect(kvBlocksHeld(deltasDue(ageS * 16_000), 16)).toBe(blocks)
})

it('a session holds no KV block before its first delta', () => {
  expect(kvBlocksHeld(0, 16)).toBe(0)
})

it('a session holds 76 to 78 from eleven minutes on, however long it lasts', () => {
  const seen = new Set<number>()
  for (let ageS = 660; ageS < 7200; ageS += 1) {
    seen.add(kvBlocksHeld(deltasDue(ageS * 16_000), 16))
  }
  expect([...seen].sort()).toEqual([76, 77, 78])
})
