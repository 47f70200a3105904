import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type KvModel, kvBlocksHeld, kvBlocksPlanned } from '../../../src/model/kv-model.js'
import { deltasDue } from '../../../src/model/step-law.js'

const NEW: KvModel = {
  blockTokens: 16,
  encoderWindowTokens: 189,
  decoderWindowTokens: 8192,
  decoderBlockRatio: 8,
}
/** vLLM before 0.25. */
const OLD: KvModel = { ...NEW, encoderWindowTokens: 750 }
const ON_CPU: KvModel = { ...NEW, blockTokens: 32 }

/** Deltas of a session that has been sent so many seconds and kept up. */
const deltasAt = (ageS: number) => deltasDue(ageS * 16_000)

// From vLLM's own KV cache manager.
const recorded: Array<[ageS: number, newer: number, older: number]> = [
  [1, 4, 4],
  [5, 7, 7],
  [10, 12, 12],
  [20, 16, 21],
  [30, 17, 30],
  [60, 19, 55],
  [90, 23, 58],
  [120, 25, 60],
  [180, 31, 66],
  [300, 43, 78],
  [600, 72, 107],
]

describe('the blocks that a session holds', () => {
  it.each(recorded)('at %d s: %d, and %d before vLLM 0.25', (ageS, newer, older) => {
    expect(kvBlocksHeld(NEW, deltasAt(ageS))).toBe(newer)
    expect(kvBlocksHeld(OLD, deltasAt(ageS))).toBe(older)
  })

  it('are none before the first delta', () => {
    expect(kvBlocksHeld(NEW, 0)).toBe(0)
    expect(kvBlocksHeld(NEW, 1)).toBe(4) // 39 tokens: 3 blocks of the encoder, 1 of the decoder
  })

  it.each([
    ['from 0.25', NEW, 78],
    ['before', OLD, 113],
  ])('are at most so many from eleven minutes on, %s', (_name, model, most) => {
    const seen = new Set<number>()
    for (let ageS = 660; ageS < 7200; ageS += 1) seen.add(kvBlocksHeld(model, deltasAt(ageS)))
    expect(Math.max(...seen)).toBe(most)
    expect(Math.min(...seen)).toBeGreaterThanOrEqual(most - 2)
  })

  it('are those that a running vLLM 0.32 counted, moment by moment', () => {
    const rows = readRows()
    expect(rows.length).toBeGreaterThan(30)
    for (const { t, used, deltas } of rows) {
      const held = deltas.reduce((sum, each) => sum + kvBlocksHeld(ON_CPU, each), 0)
      expect([t, held]).toEqual([t, used])
    }
  })
})

describe('the blocks that a plan counts', () => {
  const models = fc.record({
    blockTokens: fc.constantFrom(16, 32, 48),
    encoderWindowTokens: fc.constantFrom(189, 750),
    decoderWindowTokens: fc.constant(8192),
    decoderBlockRatio: fc.constant(8),
  })
  const deltas = fc.integer({ min: 0, max: 16_000 })

  it('are never fewer than what is held at any step up to there, and never fall', () => {
    for (const model of [NEW, OLD, ON_CPU]) {
      let heldMax = 0
      let before = 0
      for (let count = 0; count <= 12_000; count += 1) {
        heldMax = Math.max(heldMax, kvBlocksHeld(model, count))
        const planned = kvBlocksPlanned(model, count)
        if (planned < heldMax || planned < before) expect({ count, planned, heldMax }).toBeNull()
        before = planned
      }
      expect(before - heldMax).toBeLessThanOrEqual(1)
    }
  })

  it('hold for other block sizes too', () => {
    fc.assert(
      fc.property(models, deltas, deltas, (model, a, b) => {
        const [early, late] = [Math.min(a, b), Math.max(a, b)]
        expect(kvBlocksPlanned(model, late)).toBeGreaterThanOrEqual(kvBlocksHeld(model, early))
        expect(kvBlocksPlanned(model, late)).toBeGreaterThanOrEqual(kvBlocksPlanned(model, early))
      }),
    )
  })

  it('are counted from the opening on, before the engine holds anything', () => {
    expect(kvBlocksPlanned(NEW, 0)).toBe(4)
  })
})

/** The recording of six sessions on 39 blocks of 32 tokens, as far as its sessions lived. */
function readRows(): Array<{ t: number; used: number; deltas: number[] }> {
  const path = new URL('../../conformance/tables/kv-full.table.ndjson', import.meta.url)
  return readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const row = JSON.parse(line) as {
        t: number
        kv_used: number
        sessions: Array<{ deltas: number; closed: boolean }>
      }
      const deltas = row.sessions.flatMap((each) => (each.closed ? [] : [each.deltas]))
      return { t: row.t, used: row.kv_used, deltas }
    })
}
