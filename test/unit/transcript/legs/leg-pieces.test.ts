import { describe, expect, it } from 'vitest'
import { groupsOf, joinPieces, type LegPiece } from '../../../../src/transcript/legs/leg-pieces.js'
import { alignDeltas } from '../../../../src/transcript/words/align.js'

const STEP_MS = 80

/** A piece that hears a word every 10 steps, each named for when it ends. */
function piece(fromStep: number, untilStep: number): LegPiece<string> {
  const deltas = Array.from({ length: untilStep - fromStep }, (_, step) => {
    return (fromStep + step) % 10 === 5 ? ` w${fromStep + step}` : ''
  })
  const [startMs, endMs] = [fromStep * STEP_MS, untilStep * STEP_MS]
  const groups = alignDeltas(deltas, { leg: 0, legStartMs: startMs, stepMs: STEP_MS })
  return { sent: `${fromStep}-${untilStep}`, startMs, endMs, cut: 'pause', groups }
}

function joined(earlier: LegPiece<string>[], later: LegPiece<string>[]) {
  const pieces = joinPieces(earlier, later, 'later', STEP_MS)
  const said = groupsOf(pieces).map(({ text }) => text)
  return { said, spansMs: pieces.map(({ startMs, endMs }) => [startMs, endMs]) }
}

const words = (fromStep: number, untilStep: number) =>
  piece(fromStep, untilStep).groups.map(({ text }) => text)

describe('two rows of pieces', () => {
  it('stand one after the other where they only touch, or leave a gap', () => {
    for (const fromStep of [100, 130]) {
      const { said, spansMs } = joined([piece(0, 100)], [piece(fromStep, 200)])
      expect(said).toEqual([...words(0, 100), ...words(fromStep, 200)])
      expect(spansMs).toEqual([
        [0, 8_000],
        [fromStep * STEP_MS, 16_000],
      ])
    }
  })

  it('are the one where the other is empty', () => {
    expect(joined([], [piece(0, 100)]).said).toEqual(words(0, 100))
    expect(joined([piece(0, 100)], []).said).toEqual(words(0, 100))
    expect(joined([], [])).toEqual({ said: [], spansMs: [] })
  })

  it('have every word once where both heard a stretch, and no piece reaches into the next', () => {
    for (const overlapSteps of [20, 30, 45]) {
      const { said, spansMs } = joined([piece(0, 100)], [piece(100 - overlapSteps, 200)])
      expect(said).toEqual(words(0, 200))
      const [[, endMs], [startMs]] = spansMs as [[number, number], [number, number]]
      expect(endMs).toBe(startMs)
    }
  })
})
