import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { subtitleCues } from '../../../../src/transcript/formats/subtitle-cues.js'
import { textWidth } from '../../../../src/transcript/words/line-breaking.js'
import {
  assembleLanes,
  LIMITS,
  laneOf,
  lanesArbitrary,
  limitsArbitrary,
  squeezed,
} from '../transcript-arbitrary.js'

const gap = (count: number) => Array.from({ length: count }, () => '')

describe('subtitleCues', () => {
  it('stay until they can be read, where nothing follows', () => {
    const lane = laneOf(null, [{ deltas: [...gap(20), ' Twelve', 'chars.', ...gap(80)] }])
    const [cue] = subtitleCues(assembleLanes([lane]), { ...LIMITS, charsPerSecondMax: 10 })
    expect((cue?.endMs ?? 0) - (cue?.startMs ?? 0)).toBe(1_200)
  })

  it('end where the next begins', () => {
    const deltas = [...gap(20), ' This', '', ' one', '', ' here.', ...gap(5), ' That', '', ' one.']
    const cues = subtitleCues(assembleLanes([laneOf(null, [{ deltas }])]), {
      ...LIMITS,
      cueMinMs: 300,
    })
    expect(cues.map((cue) => cue.lines)).toStrictEqual([['This one here.'], ['That one.']])
    expect(cues[0]?.endMs).toBeLessThanOrEqual(cues[1]?.startMs as number)
  })

  it('take in the next where they would be gone at once', () => {
    const deltas = [...gap(20), ' Yes.', ...gap(3), ' No.', ...gap(40), ' Maybe.', ...gap(40)]
    const cues = subtitleCues(assembleLanes([laneOf(null, [{ deltas }])]), LIMITS)
    expect(cues.map((cue) => cue.lines)).toStrictEqual([['Yes. No.'], ['Maybe.']])
  })

  it('leave the next alone where both together would stay too long', () => {
    const limits = { ...LIMITS, cueMaxMs: 2_000 }
    const deltas = [...gap(20), ' Yes.', '', '', ' But', ...gap(20), ' no.', ...gap(40)]
    const transcript = assembleLanes([laneOf(null, [{ deltas }])], limits)
    expect(subtitleCues(transcript, limits).map((cue) => cue.lines)).toStrictEqual([
      ['Yes.'],
      ['But no.'],
    ])
  })

  it('break a word that is longer than a cue', () => {
    const deltas = [...gap(20), ` ${'x'.repeat(200)}`, ...gap(100)]
    const cues = subtitleCues(assembleLanes([laneOf(null, [{ deltas }])]), LIMITS)
    expect(cues.map((cue) => cue.lines.map((line) => line.length))).toStrictEqual([
      [42, 42],
      [42, 42],
      [32],
    ])
  })

  it('follow each other where two channels speak at once', () => {
    const deltas = [...gap(40), ' Hello', '', ' there', '', ' you', '', ' all.', ...gap(60)]
    const cues = subtitleCues(
      assembleLanes([laneOf(0, [{ deltas }]), laneOf(1, [{ deltas }])]),
      LIMITS,
    )
    expect(cues.map((cue) => cue.channel)).toStrictEqual([0, 1])
    const [first, second] = cues
    expect((first?.endMs ?? 0) - (first?.startMs ?? 0)).toBe(LIMITS.cueMinMs)
    expect(second?.startMs).toBe(first?.endMs)
  })

  it('stay in step where channels never stop speaking', () => {
    const sentence = [' We', '', ' all', '', ' speak', '', ' now.', '']
    const deltas = Array.from({ length: 100 }, () => [...gap(4), ...sentence]).flat()
    const transcript = assembleLanes([laneOf(0, [{ deltas }]), laneOf(1, [{ deltas }])])
    const cues = subtitleCues(transcript, LIMITS)
    expect(cues).toHaveLength(transcript.segments.length)
    cues.forEach((cue, index) => {
      const delayMs = cue.startMs - (transcript.segments[index]?.startMs ?? 0)
      expect(delayMs).toBeLessThanOrEqual(2 * LIMITS.cueMinMs)
      expect(cue.endMs - cue.startMs).toBeGreaterThanOrEqual(LIMITS.cueMinMs / 2 - 80)
    })
  })

  it('rise, never overlap, keep the limits, and lose no text', () => {
    fc.assert(
      fc.property(lanesArbitrary, limitsArbitrary, (lanes, limits) => {
        const transcript = assembleLanes(lanes, limits)
        const cues = subtitleCues(transcript, limits)
        let reachedMs = 0
        for (const cue of cues) {
          expect(cue.startMs).toBeGreaterThanOrEqual(reachedMs)
          expect(cue.endMs).toBeGreaterThan(cue.startMs)
          expect(cue.endMs - cue.startMs).toBeLessThanOrEqual(Math.max(1, limits.cueMaxMs))
          expect(Number.isInteger(cue.startMs) && Number.isInteger(cue.endMs)).toBe(true)
          expect(cue.lines.length).toBeGreaterThan(0)
          expect(cue.lines.length).toBeLessThanOrEqual(limits.linesMax)
          for (const line of cue.lines) {
            expect(line.trim()).not.toBe('')
            expect(textWidth(line)).toBeLessThanOrEqual(limits.lineCharsMax)
          }
          reachedMs = cue.endMs
        }
        const { durationMs, words } = transcript
        expect(reachedMs).toBeLessThanOrEqual(Math.max(durationMs, words.length, cues.length))
        for (const lane of lanes) {
          const own = cues.filter((cue) => cue.channel === lane.channel)
          expect(squeezed(own.flatMap((cue) => cue.lines).join(''))).toBe(
            squeezed(lane.groups.map((group) => group.text).join('')),
          )
        }
      }),
      { numRuns: 300 },
    )
  })
})
