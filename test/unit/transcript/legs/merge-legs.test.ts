import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assembleTranscript, type TranscriptLeg } from '../../../../src/transcript/assemble.js'
import { mergeLegs } from '../../../../src/transcript/legs/merge-legs.js'
import { alignDeltas } from '../../../../src/transcript/words/align.js'
import { deltasArbitrary, LIMITS, STEP_MS, squeezed } from '../transcript-arbitrary.js'

interface SpokenWord {
  text: string
  startMs: number
  endMs: number
}

/** A leg and its deltas, the empty ones included. */
type HeardLeg = Pick<TranscriptLeg, 'startMs' | 'endMs' | 'cut'> & { deltas: readonly string[] }

function laneOf(legs: readonly HeardLeg[]) {
  return {
    channel: null,
    speechMs: [],
    legs: legs.map(({ startMs, endMs, cut, deltas }, index): TranscriptLeg => {
      const timing = 'token-step' as const
      return { index, startMs, endMs, cut, deltas: deltas.length, timing, attempt: 1 }
    }),
    groups: legs.flatMap(({ deltas, startMs }, leg) =>
      alignDeltas(deltas, { leg, legStartMs: startMs, stepMs: STEP_MS }),
    ),
  }
}

function transcriptOf(legs: readonly HeardLeg[]) {
  const durationMs = legs.at(-1)?.endMs ?? 0
  return assembleTranscript({
    lanes: [laneOf(legs)],
    durationMs,
    stepMs: STEP_MS,
    subtitles: LIMITS,
  })
}

/** Deltas with text at the steps given; the last of them is the last one. */
function deltasAt(texts: Record<number, string>): string[] {
  const last = Math.max(...Object.keys(texts).map(Number))
  return Array.from({ length: last + 1 }, (_, step) => texts[step] ?? '')
}

const leg = (
  startMs: number,
  endMs: number,
  texts: Record<number, string>,
  cut: HeardLeg['cut'] = 'quiet',
): HeardLeg => ({ startMs, endMs, cut, deltas: deltasAt(texts) })

/** Two legs that overlap from 8 s to 10 s, with what each wrote by step of its own. */
const overlapping = (earlier: Record<number, string>, later: Record<number, string>) =>
  transcriptOf([leg(0, 10_000, earlier), leg(8_000, 20_000, later, 'end')])

describe('legs that overlap', () => {
  it('part in the widest gap between the groups of both', () => {
    const { text, lanes } = overlapping(
      { 90: ' one', 104: ' two', 117: ' three', 122: ' four' },
      { 4: ' two', 17: ' three', 21: ' four', 40: ' five' },
    )
    expect(text).toBe('one two three four five')
    const atMs = ((104 + 117) / 2) * STEP_MS
    expect(lanes[0]?.legs).toMatchObject([
      { startMs: 0, endMs: atMs },
      { startMs: atMs, endMs: 20_000 },
    ])
  })

  it('part in the middle where nobody speaks', () => {
    const { text, lanes } = overlapping({ 50: ' one' }, { 60: ' two' })
    expect(text).toBe('one two')
    expect(lanes[0]?.legs[0]?.endMs).toBe(9_000)
  })

  it('split a group that leaves no gap at the middle, in the steps of its pieces', () => {
    const run = (first: number) =>
      Object.fromEntries(Array.from({ length: 30 }, (_, index) => [first + index, ` w${index}`]))
    const { text, words, lanes } = overlapping(run(98), { ...run(-2), '-2': '', '-1': '' })
    expect(lanes[0]?.legs[0]?.endMs).toBe(9_000)
    expect(text).toBe(Array.from({ length: 30 }, (_, index) => `w${index}`).join(' '))
    const from = words.findIndex((word) => word.leg === 1)
    expect(words.slice(from - 1, from + 2)).toMatchObject([
      { text: 'w14', leg: 0, endMs: 112 * STEP_MS },
      { text: 'w15', leg: 1, endMs: 113 * STEP_MS, step: 13, interpolated: { end: true } },
      { text: 'w16', leg: 1, endMs: 114 * STEP_MS, step: 14 },
    ])
  })

  it('split scripts without spaces between pieces', () => {
    const run = (first: number) =>
      Object.fromEntries(Array.from('一二三四五六七八九十', (sign, at) => [first + 2 * at, sign]))
    const dots = (first: number) =>
      Object.fromEntries(Array.from({ length: 10 }, (_, at) => [first + 2 * at + 1, '・']))
    const talk = (first: number) => ({ ...run(first), ...dots(first) })
    const { text } = overlapping(talk(102), talk(2))
    expect(text).toBe('一・二・三・四・五・六・七・八・九・十・')
  })

  it.each<[string, Record<number, string>, Record<number, string>, string]>([
    [
      'case and punctuation',
      { 105: ' so,', 112: ' Well.' },
      { 5: ' So', 12: ' well' },
      'so, Well.',
    ],
    ['times up to three steps apart', { 112: ' one' }, { 15: ' one' }, 'one'],
    ['the order they came in', { 112: ' one', 114: ' two' }, { 11: ' one', 13: ' two' }, 'one two'],
  ])('count words once whatever their %s', (_, earlier, later, text) => {
    expect(overlapping(earlier, later).text).toBe(text)
  })

  it('keep words that are equal and further apart', () => {
    expect(overlapping({ 110: ' one' }, { 14: ' one' }).text).toBe('one one')
  })

  it('count a word once that one leg heard twice, on both sides of the boundary', () => {
    const { text } = overlapping(
      { 103: ' a', 106: ' b', 109: ' c', 112: ' the' },
      { 3: ' a', 6: ' b', 9: ' c', 12: ' the', 15: ' the', 18: ' d', 21: ' e', 24: ' f' },
    )
    expect(text).toBe('a b c the d e f')
    const mirrored = overlapping(
      {
        101: ' a',
        104: ' b',
        107: ' c',
        110: ' the',
        113: ' the',
        116: ' d',
        119: ' e',
        122: ' f',
      },
      { 1: ' a', 4: ' b', 7: ' c', 13: ' the', 16: ' d', 19: ' e', 22: ' f' },
    )
    expect(mirrored.text).toBe('a b c the d e f')
  })

  it('never part between the two ends of a word that both heard', () => {
    const { text, lanes } = overlapping(
      { 102: ' a', 105: ' b', 108: ' c', 111: ' one', 117: ' d', 120: ' e', 123: ' f' },
      { 2: ' a', 5: ' b', 8: ' c', 14: ' one', 17: ' d', 20: ' e', 23: ' f' },
    )
    expect(text).toBe('a b c one d e f')
    expect(lanes[0]?.legs[0]?.endMs).toBe(109.5 * STEP_MS)
  })

  it('believe the leg that is further from its own edge', () => {
    const { text } = overlapping(
      { 103: ' meeting', 112: ' will', 123: ' st' },
      { 3: ' ting', 12: ' will', 27: ' start' },
    )
    expect(text).toBe('meeting will start')
  })

  it('keep what only one leg heard', () => {
    const both = { 11: ' two' }
    expect(overlapping({ 105: ' one', 111: ' two' }, both).text).toBe('one two')
    expect(overlapping({ 111: ' two' }, { 5: ' one', ...both }).text).toBe('one two')
    expect(overlapping({ 111: ' two', 119: ' three' }, both).text).toBe('two three')
    expect(overlapping({ 111: ' two' }, { ...both, 19: ' three' }).text).toBe('two three')
    expect(overlapping({ 120: ' one' }, { 1: '' }).text).toBe('one')
    expect(overlapping({ 1: '' }, { 3: ' one' }).text).toBe('one')
  })

  it('drop what a leg made of half a word at its edge, or of the silence after it', () => {
    expect(overlapping({ 123: ' st' }, { 27: ' start' }).text).toBe('start')
    expect(overlapping({ 99: ' meeting' }, { 1: ' ng' }).text).toBe('meeting')
    expect(overlapping({ 140: ' you.' }, { 3: ' one' }).text).toBe('one')
  })
})

describe('legs that do not overlap', () => {
  const tail = { 110: ' one', 125: ' tail', 130: ' end.' }
  const legs = [leg(0, 10_000, tail, 'pause'), leg(10_000, 20_000, { 2: ' Two.' }, 'end')]

  it('keep their text, with what came after the end of the first in order', () => {
    const { text, words, lanes, segments } = transcriptOf(legs)
    expect(text).toBe('one tail end. Two.')
    expect(segments.map((segment) => segment.leg)).toStrictEqual([0, 1])
    expect(words.map((word) => word.endMs)).toStrictEqual([8_800, 10_000, 10_020, 10_160])
    expect(lanes[0]?.legs).toStrictEqual(laneOf(legs).legs)
  })

  it('may have silence between them that nobody sent', () => {
    const [first, second] = legs as [HeardLeg, HeardLeg]
    const skipped = [first, { ...second, startMs: 50_000, endMs: 60_000 }]
    const { words, lanes } = transcriptOf(skipped)
    expect(words.at(-1)).toMatchObject({ text: 'Two.', startMs: 50_000, endMs: 50_160 })
    expect(lanes[0]?.legs.map(({ startMs, endMs }) => [startMs, endMs])).toStrictEqual([
      [0, 10_000],
      [50_000, 60_000],
    ])
  })
})

/** Talk of some 20 s; each word is another one where no text is given. */
const speechArbitrary = ({
  text = fc.constant(''),
  spokenMs = fc.integer({ min: 200, max: 700 }),
  gapMs = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 600 })),
}: Partial<Record<'spokenMs' | 'gapMs', fc.Arbitrary<number>>> & {
  text?: fc.Arbitrary<string>
} = {}): fc.Arbitrary<SpokenWord[]> =>
  fc.array(fc.record({ spokenMs, gapMs, text }), { minLength: 25, maxLength: 40 }).map((words) => {
    let reachedMs = 300
    return words.map((word, index) => {
      const startMs = reachedMs + word.gapMs
      reachedMs = startMs + word.spokenMs
      return { text: word.text || `word${index}`, startMs, endMs: reachedMs }
    })
  })

interface Hearing {
  startMs: number
  endMs: number
  /** By how many steps each word is misplaced. */
  errors: readonly number[]
  /** Into how many pieces each word's text comes. */
  pieces: readonly number[]
  /** Write something for words that are only heard in part. */
  garbles: boolean
}

/** What a session writes that hears the talk from `startMs` to `endMs`. */
function deltasOf(speech: readonly SpokenWord[], hearing: Hearing): string[] {
  const { startMs, endMs, errors, pieces, garbles } = hearing
  const deltas: string[] = []
  speech.forEach((word, index) => {
    const isWhole = word.startMs >= startMs && word.endMs <= endMs
    const isPart = word.endMs > startMs + STEP_MS && word.startMs < endMs - STEP_MS
    if (!isWhole && !(garbles && isPart)) return
    const heardUntilMs = Math.min(word.endMs, endMs)
    const error = isWhole ? (errors[index] ?? 0) : 0
    const step = Math.round((heardUntilMs - startMs) / STEP_MS) + error
    const text = isWhole ? word.text : `${word.text}${word.startMs < startMs ? 'late' : 'early'}`
    const from = Math.max(step, deltas.length, 0)
    while (deltas.length < from) deltas.push('')
    const chars = Math.ceil(text.length / (pieces[index] ?? 1))
    for (let at = 0; at < text.length; at += chars) {
      deltas.push(`${at === 0 ? ' ' : ''}${text.slice(at, at + chars)}`)
    }
  })
  return deltas
}

const errorsArbitrary = fc.array(fc.constantFrom(-1, 0, 1), { minLength: 40, maxLength: 40 })
const cutArbitrary = (piecesMin: number, piecesMax: number) => {
  const count = fc.integer({ min: piecesMin, max: piecesMax })
  const pieces = fc.array(count, { minLength: 40, maxLength: 40 })
  return fc.record({
    atFrame: fc.integer({ min: 40, max: 90 }),
    errors: fc.tuple(errorsArbitrary, errorsArbitrary),
    pieces: fc.tuple(pieces, pieces),
    garbles: fc.boolean(),
  })
}

type Cut = ReturnType<typeof cutArbitrary> extends fc.Arbitrary<infer Value> ? Value : never

/** The talk as two legs heard it, which overlap by 2 s from a frame on. */
function cutInTalk(speech: readonly SpokenWord[], cut: Cut): HeardLeg[] {
  const cutMs = cut.atFrame * STEP_MS
  const durationMs = (speech.at(-1)?.endMs ?? 0) + 2_500
  const ranges = [
    { startMs: 0, endMs: cutMs + 2_000, cut: 'quiet' as const },
    { startMs: cutMs, endMs: durationMs, cut: 'end' as const },
  ]
  return ranges.map((range, index) => {
    const errors = cut.errors[index] as readonly number[]
    const pieces = cut.pieces[index] as readonly number[]
    const deltas = deltasOf(speech, { ...range, errors, pieces, garbles: cut.garbles })
    return { ...range, deltas }
  })
}

describe('talk that is cut anywhere', () => {
  it('has every word once, in order, at its time', () => {
    fc.assert(
      fc.property(speechArbitrary(), cutArbitrary(1, 2), (speech, cut) => {
        const { words } = transcriptOf(cutInTalk(speech, cut))
        expect(words.map((word) => word.text)).toStrictEqual(speech.map((word) => word.text))
        for (const [index, word] of words.entries()) {
          const { endMs } = speech[index] as SpokenWord
          expect(Math.abs(word.endMs - endMs)).toBeLessThanOrEqual(3 * STEP_MS)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  it('has every word once where talk leaves no gap', () => {
    const spokenMs = fc.integer({ min: 240, max: 320 })
    const speech = speechArbitrary({ spokenMs, gapMs: fc.constant(0) })
    fc.assert(
      fc.property(speech, cutArbitrary(3, 3), (speech, cut) => {
        const { text } = transcriptOf(cutInTalk(speech, cut))
        expect(text).toBe(speech.map((word) => word.text).join(' '))
      }),
      { numRuns: 1_000 },
    )
  })

  it('has every word once where few words are said again and again', () => {
    const few = fc.constantFrom('the', 'and', 'we', 'so')
    fc.assert(
      fc.property(speechArbitrary({ text: few }), cutArbitrary(1, 2), (speech, cut) => {
        const spaced = speech.map((word, index) => {
          const laterMs = index * 200 // equal words of a voice are no closer than that
          return { ...word, startMs: word.startMs + laterMs, endMs: word.endMs + laterMs }
        })
        const { text } = transcriptOf(cutInTalk(spaced, cut))
        expect(text).toBe(speech.map((word) => word.text).join(' '))
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('mergeLegs', () => {
  const anyLegs = fc
    .array(
      fc.record({ deltas: deltasArbitrary, overlapSteps: fc.integer({ min: -20, max: 25 }) }),
      {
        minLength: 1,
        maxLength: 4,
      },
    )
    .map((made) => {
      let startMs = 0
      return made.map(({ deltas, overlapSteps }, index): HeardLeg => {
        const endMs = startMs + (deltas.length + 30) * STEP_MS
        const cut = index === made.length - 1 ? 'end' : overlapSteps > 0 ? 'quiet' : 'pause'
        const heard = { startMs, endMs, cut, deltas } as const
        startMs = endMs - overlapSteps * STEP_MS
        return heard
      })
    })

  it('leaves no overlap, invents no text, and has nothing to do a second time', () => {
    fc.assert(
      fc.property(anyLegs, (heard) => {
        const lane = laneOf(heard)
        const merged = mergeLegs(lane, STEP_MS)
        for (const [index, { startMs, endMs }] of merged.legs.entries()) {
          const sent = lane.legs[index] as TranscriptLeg
          expect(startMs).toBeGreaterThanOrEqual(sent.startMs)
          expect(endMs).toBeLessThanOrEqual(sent.endMs)
          expect(startMs).toBeGreaterThanOrEqual(merged.legs[index - 1]?.endMs ?? 0)
          const textOf = (groups: typeof lane.groups) =>
            squeezed(
              groups
                .filter((group) => group.leg === index)
                .map((group) => group.text)
                .join(''),
            )
          expect(textOf(lane.groups)).toContain(textOf([...merged.groups]))
        }
        expect(mergeLegs(merged, STEP_MS)).toStrictEqual(merged)
      }),
      { numRuns: 500 },
    )
  })

  it('keeps words in order, none overlapping another', () => {
    fc.assert(
      fc.property(anyLegs, (heard) => {
        let reachedMs = 0
        for (const { startMs, endMs } of transcriptOf(heard).words) {
          expect(startMs).toBeGreaterThanOrEqual(reachedMs)
          expect(endMs).toBeGreaterThan(startMs)
          reachedMs = endMs
        }
      }),
      { numRuns: 200 },
    )
  })
})
