import { describe, expect, it } from 'vitest'
import type { CutOption } from '../../../../src/admission/legs/cut-option.js'
import { LegRecord } from '../../../../src/pipeline/legs/leg-record.js'
import { GroupAligner } from '../../../../src/transcript/words/align.js'

const STEP_MS = 80
const pause = (frame: number): CutOption => ({ endFrame: frame, nextFrame: frame, kind: 'pause' })
const quiet = (frame: number): CutOption => {
  return { endFrame: frame + 25, nextFrame: frame, kind: 'quiet' }
}
const END: CutOption = { endFrame: 9_000, nextFrame: 9_000, kind: 'end' }

/** A record of a leg that heard these deltas; at a step it says what `textAt` gives, or nothing. */
function recorded(
  cuts: readonly CutOption[],
  session: { fromFrame?: number; deltas: number; textAt?: Readonly<Record<number, string>> },
): LegRecord {
  const { fromFrame = 0, deltas, textAt = {} } = session
  const record = new LegRecord(fromFrame, [...cuts, END])
  const aligner = new GroupAligner({ leg: 0, legStartMs: fromFrame * STEP_MS, stepMs: STEP_MS })
  for (let step = 0; step < deltas; step += 1) {
    const group = aligner.push(textAt[step] ?? '')
    if (group) record.wrote(group)
  }
  record.answered({
    ...{ deltas, answeredMs: deltas * STEP_MS, isExact: true },
    writing: () => aligner.writing(),
  })
  return record
}

describe('up to where a running leg is safe', () => {
  it('is nowhere before its first cut was passed by a second', () => {
    const cuts = [pause(100), pause(200)]
    expect(new LegRecord(0, cuts).part()).toBeNull()
    expect(recorded(cuts, { deltas: 112 }).part()).toBeNull()
    expect(recorded(cuts, { deltas: 113 }).part()?.cut).toEqual(pause(100))
    expect(recorded(cuts, { deltas: 212 }).part()?.cut).toEqual(pause(100))
    expect(recorded(cuts, { deltas: 213 }).part()?.cut).toEqual(pause(200))
  })

  it('is never at a cut that lies before the leg, and never at the end of the recording', () => {
    expect(recorded([pause(100)], { fromFrame: 100, deltas: 500 }).part()).toBeNull()
    expect(recorded([pause(100)], { fromFrame: 150, deltas: 500 }).part()).toBeNull()
    expect(recorded([], { fromFrame: 8_990, deltas: 400 }).part()).toBeNull()
  })

  it('gives the text before it, and no later one', () => {
    const textAt = { 40: ' early', 130: ' late' }
    const part = recorded([pause(100)], { deltas: 150, textAt }).part()
    expect(part).toMatchObject({ deltas: 100, isExact: true })
    expect(part?.groups.map(({ text }) => text)).toEqual([' early'])
  })

  it('is rather a cut that no run of text goes across, not more than half a minute before', () => {
    const across = { 198: ' in', 199: ' one', 200: ' go' }
    const cuts = [pause(100), pause(200)]
    expect(recorded(cuts, { deltas: 220, textAt: across }).part()?.cut).toEqual(pause(100))
    const far = [pause(100), pause(500)]
    const late = { 499: ' in', 500: ' one' }
    const part = recorded(far, { deltas: 520, textAt: late }).part()
    expect(part?.cut).toEqual(pause(500))
    expect(part?.groups.map(({ text }) => text)).toEqual([' in'])
  })

  it('counts the run that is being written', () => {
    const across = { 99: ' still', 100: ' going', 101: ' on' }
    const part = recorded([pause(100)], { deltas: 113, textAt: { ...across, 112: ' x' } }).part()
    expect(part?.groups.map(({ text }) => text)).toEqual([' still'])
  })

  it('lets the next leg begin before the end where both hear the cut', () => {
    const part = recorded([quiet(100)], { deltas: 140 }).part()
    expect(part).toMatchObject({ deltas: 125, cut: { nextFrame: 100 } })
    expect(recorded([quiet(100)], { deltas: 137 }).part()).toBeNull()
  })

  it('takes nothing after the last text where that may have been a rut', () => {
    const record = recorded([pause(100), pause(200)], { deltas: 300, textAt: { 150: ' last' } })
    expect(record.part()?.cut).toEqual(pause(200))
    expect(record.part({ hasText: true })?.cut).toEqual(pause(100))
    expect(recorded([pause(100)], { deltas: 300 }).part({ hasText: true })).toBeNull()
  })
})
