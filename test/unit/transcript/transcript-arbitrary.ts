import fc from 'fast-check'
import {
  type AssembledTranscript,
  assembleTranscript,
  type TranscriptLane,
  type TranscriptLeg,
} from '../../../src/transcript/assemble.js'
import type { SubtitleLimits } from '../../../src/transcript/formats/subtitle-limits.js'
import { alignDeltas, type WordGroup } from '../../../src/transcript/words/align.js'

export const STEP_MS = 80

export const LIMITS: SubtitleLimits = {
  lineCharsMax: 42,
  linesMax: 2,
  charsPerSecondMax: 20,
  cueMinMs: 800,
  cueMaxMs: 7_000,
  gapMaxMs: 1_500,
}

/** Text without what separates words, so that only what was said is compared. */
export function squeezed(text: string): string {
  return text.replace(/[\s\p{Cc}]+/gu, '')
}

const word = fc.constantFrom(
  'a',
  'the',
  'meeting',
  'Dr.',
  'said,',
  'ends.',
  'Really?',
  '...',
  '—',
  '-->',
  '&<>',
  '<b>bold</b>',
  '{\\an8}',
  'שלום',
  'مرحبا؟',
  '👩‍👩‍👧‍👦',
  'e\u0301te\u0301',
  '1',
  '北京大学',
  '東京。',
  'สวัสดี',
  'x'.repeat(200),
  '👍🏽'.repeat(100),
)

/** What a session may send: mostly blanks, words with a space before them, parts of words. */
export const deltasArbitrary: fc.Arbitrary<string[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.constant('') },
    { weight: 6, arbitrary: word.map((text) => ` ${text}`) },
    { weight: 2, arbitrary: word },
    {
      weight: 1,
      arbitrary: fc.constantFrom(' ', '\n', '\t', '\u0000', '.', ' two words', 'in. Out'),
    },
    { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 6 }) },
  ),
  { maxLength: 80 },
)

/**
 * Legs of one lane, each given by its deltas; text beyond a leg's end happens, as it does really.
 */
export function laneOf(
  channel: number | null,
  legs: readonly { deltas: readonly string[]; tailSteps?: number }[],
  options: { timing?: TranscriptLeg['timing']; speechMs?: TranscriptLane['speechMs'] } = {},
): TranscriptLane & { endMs: number } {
  let startMs = 0
  const groups: WordGroup[] = []
  const made: TranscriptLeg[] = legs.map(({ deltas, tailSteps = 0 }, index) => {
    groups.push(...alignDeltas(deltas, { leg: index, legStartMs: startMs, stepMs: STEP_MS }))
    const endMs = startMs + Math.max(0, deltas.length - tailSteps) * STEP_MS
    const leg: TranscriptLeg = {
      index,
      startMs,
      endMs,
      cut: index === legs.length - 1 ? 'end' : 'pause',
      deltas: deltas.length,
      timing: options.timing ?? 'token-step',
      attempt: index + 1,
    }
    startMs = endMs
    return leg
  })
  return { channel, legs: made, groups, speechMs: options.speechMs ?? [], endMs: startMs }
}

export function assembleLanes(
  lanes: readonly (TranscriptLane & { endMs: number })[],
  subtitles: SubtitleLimits = LIMITS,
): AssembledTranscript {
  const durationMs = Math.max(0, ...lanes.map((lane) => lane.endMs))
  return assembleTranscript({ lanes, durationMs, stepMs: STEP_MS, subtitles })
}

const legArbitrary = fc.record({
  deltas: deltasArbitrary,
  tailSteps: fc.constantFrom(0, 10, 17),
})

/** A mix of one lane, or the lanes of up to three channels that talk at once. */
export const lanesArbitrary = fc
  .array(fc.array(legArbitrary, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 })
  .map((lanes) => lanes.map((legs, index) => laneOf(lanes.length === 1 ? null : index, legs)))

export const limitsArbitrary: fc.Arbitrary<SubtitleLimits> = fc.record({
  lineCharsMax: fc.integer({ min: 10, max: 60 }),
  linesMax: fc.integer({ min: 1, max: 3 }),
  charsPerSecondMax: fc.constantFrom(5, 20, 60),
  cueMinMs: fc.constantFrom(0, 800, 2_000),
  cueMaxMs: fc.constantFrom(1_000, 7_000),
  gapMaxMs: fc.constantFrom(0, 1_500),
})
