import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { MsRange } from '../../../../src/kernel/ms-range.js'
import {
  assembleTranscript,
  type TranscriptLane,
  type TranscriptLeg,
} from '../../../../src/transcript/assemble.js'
import { alignDeltas } from '../../../../src/transcript/words/align.js'
import { LIMITS, STEP_MS } from '../transcript-arbitrary.js'

/** A word and the step of the recording on which it ends. */
type Said = readonly [text: string, step: number]

/** A session: from where to where it was sent, in steps of the recording, and what it gave. */
interface Session {
  from: number
  until: number
  heard: readonly Said[]
  cut?: TranscriptLeg['cut']
}

function legsOf(sessions: readonly Session[], attempt: number) {
  const legs = sessions.map(({ from, until, cut }, index): TranscriptLeg => {
    const last = index === sessions.length - 1
    return {
      index,
      startMs: from * STEP_MS,
      endMs: until * STEP_MS,
      cut: cut ?? (last ? 'end' : 'pause'),
      deltas: until - from + 10,
      timing: 'token-step',
      attempt,
    }
  })
  const groups = sessions.flatMap(({ from, until, heard }, leg) => {
    const texts = new Map(heard.map(([text, step]) => [step - from, ` ${text}`]))
    const deltas = Array.from({ length: until - from + 10 }, (_, step) => texts.get(step) ?? '')
    return alignDeltas(deltas, { leg, legStartMs: from * STEP_MS, stepMs: STEP_MS })
  })
  return { legs, groups }
}

interface Repair {
  holes: readonly (readonly [from: number, until: number])[]
  sessions: readonly Session[]
}

/** A lane that speaks all the time; all numbers are steps. */
function assembled(sessions: readonly Session[], repairs: readonly Repair[], more = {}) {
  const durationMs = (sessions.at(-1)?.until ?? 0) * STEP_MS
  const lane: TranscriptLane = {
    channel: null,
    ...legsOf(sessions, 1),
    speechMs: [[0, durationMs]],
    reruns: repairs.map((repair) => ({
      holesMs: repair.holes.map(([from, until]): MsRange => [from * STEP_MS, until * STEP_MS]),
      ...legsOf(repair.sessions, 2),
    })),
    ...more,
  }
  return assembleTranscript({ lanes: [lane], durationMs, stepMs: STEP_MS, subtitles: LIMITS })
}

/** A word every ten steps; what a session hears of it. */
const script = (words: number): Said[] =>
  Array.from({ length: words }, (_, index) => [`w${index}`, 10 * (index + 1)])
const within = (said: readonly Said[], from: number, until: number) =>
  said.filter(([, step]) => step > from && step < until)
const without = (said: readonly Said[], from: number, until: number) =>
  said.filter(([, step]) => step < from || step > until)
const textOf = (said: readonly Said[]) => said.map(([text]) => text).join(' ')

describe('a hole that was carried once more', () => {
  const said = script(100)
  const blank = { from: 0, until: 1_005, heard: without(said, 405, 605) }

  it('is filled, and what lies around it is there once', () => {
    const again = { from: 352, until: 658, heard: within(said, 352, 658) }
    const { text, lanes, coverage, segments } = assembled(
      [blank],
      [{ holes: [[400, 603]], sessions: [again] }],
    )
    expect(text).toBe(textOf(said))
    expect(coverage.holes).toMatchObject([{ action: 'rerun', reason: null, startMs: 32_000 }])
    expect(coverage.transcribedMs).toBe(coverage.speechMs)
    expect(new Set(segments.map(({ attempt }) => attempt))).toStrictEqual(new Set([1, 2]))
    const legs = lanes[0]?.legs ?? []
    expect(legs.map(({ index, attempt }) => [index, attempt])).toStrictEqual([
      [0, 1],
      [1, 2],
      [2, 1],
    ])
    expect(legs[0]?.startMs).toBe(0)
    expect(legs[1]?.startMs).toBe(legs[0]?.endMs)
    expect(legs[2]?.startMs).toBe(legs[1]?.endMs)
    expect(legs[2]?.endMs).toBe(1_005 * STEP_MS)
    expect(legs.map(({ cut }) => cut)).toStrictEqual(['quiet', 'quiet', 'end'])
    // Both parts of the old session share its deltas.
    expect((legs[0]?.deltas ?? 0) + (legs[2]?.deltas ?? 0)).toBe(1_015)
    expect(legs[1]?.deltas).toBe(316)
  })

  it('keeps the old text around it, but for what both heard', () => {
    const heard = [...within(said, 405, 605), ['other', 365], ['fresh', 645]] as Said[]
    const again = { from: 352, until: 658, heard: heard.sort((one, two) => one[1] - two[1]) }
    const { text } = assembled([blank], [{ holes: [[400, 603]], sessions: [again] }])
    for (const [word] of said) expect(text.split(' ')).toContain(word)
  })

  it('counts steps in the leg that goes on after it from its own first delta', () => {
    const again = { from: 352, until: 658, heard: within(said, 352, 658) }
    const { words, lanes } = assembled([blank], [{ holes: [[400, 603]], sessions: [again] }])
    for (const { text, leg, step, endMs } of words) {
      const { startMs = 0, deltas = 0 } = lanes[0]?.legs[leg] ?? {}
      expect(step, text).toBeGreaterThanOrEqual(0)
      expect(step, text).toBeLessThan(deltas)
      const firstMs = leg === 1 ? 352 * STEP_MS : Math.round(startMs / STEP_MS) * STEP_MS
      expect(Math.abs(firstMs + step * STEP_MS - endMs), text).toBeLessThanOrEqual(STEP_MS)
    }
  })

  it('is filled over the legs that it lay in', () => {
    const sessions = [
      { from: 0, until: 455, heard: within(blank.heard, 0, 455) },
      { from: 455, until: 555, heard: [] },
      { from: 555, until: 1_005, heard: within(blank.heard, 555, 1_005) },
    ]
    const again = { from: 352, until: 658, heard: within(said, 352, 658) }
    const { text, lanes } = assembled(sessions, [{ holes: [[400, 603]], sessions: [again] }])
    expect(text).toBe(textOf(said))
    expect(lanes[0]?.legs.map(({ attempt }) => attempt)).toStrictEqual([1, 2, 1])
  })

  it('is filled at the start and at the end of a recording', () => {
    const lost = { from: 0, until: 1_005, heard: within(said, 205, 805) }
    const { text, lanes } = assembled(
      [lost],
      [
        { holes: [[0, 203]], sessions: [{ from: 0, until: 255, heard: within(said, 0, 255) }] },
        {
          holes: [[800, 1_005]],
          sessions: [{ from: 755, until: 1_005, heard: within(said, 755, 1_005) }],
        },
      ],
    )
    expect(text).toBe(textOf(said))
    expect(lanes[0]?.legs.map(({ attempt, cut }) => [attempt, cut])).toStrictEqual([
      [2, 'quiet'],
      [1, 'quiet'],
      [2, 'end'],
    ])
  })

  it('parts in pauses where there are some, and where nobody spoke around it', () => {
    const spoken = within(said, 305, 705)
    const lost = { from: 0, until: 1_005, heard: [said[1], ...within(said, 645, 705)] as Said[] }
    const again = { from: 252, until: 802, heard: spoken }
    const speechMs: MsRange[] = [
      [0, 1_700],
      [300 * STEP_MS, 705 * STEP_MS],
    ]
    const repairs = [{ holes: [[300, 637] as const], sessions: [again] }]
    const { text, lanes } = assembled([lost], repairs, { speechMs })
    expect(text).toBe(`w1 ${textOf(spoken)}`)
    expect(lanes[0]?.legs.map(({ attempt, cut }) => [attempt, cut])).toStrictEqual([
      [1, 'pause'],
      [2, 'pause'],
      [1, 'end'],
    ])
    expect(lanes[0]?.legs[0]?.endMs).toBe(252 * STEP_MS)
  })

  it('is followed by the silence that nobody heard again', () => {
    const lost = { from: 0, until: 1_005, heard: within(said, 0, 405) }
    const again = { from: 352, until: 658, heard: within(said, 352, 605) }
    const repairs = [{ holes: [[400, 605] as const], sessions: [again] }]
    const { text, lanes } = assembled([lost], repairs, { speechMs: [[0, 605 * STEP_MS]] })
    expect(text).toBe(textOf(within(said, 0, 605)))
    expect(lanes[0]?.legs.slice(1)).toMatchObject([
      { attempt: 2, cut: 'pause', endMs: 658 * STEP_MS },
      { attempt: 1, cut: 'end', startMs: 658 * STEP_MS, endMs: 1_005 * STEP_MS },
    ])
  })

  it('follows a run of talk that began long before its surroundings', () => {
    const talk = [...Array.from({ length: 250 }, (_, index): Said => [`r${index}`, 151 + index])]
    const lost = { from: 0, until: 1_005, heard: [...talk, ...within(said, 605, 1_005)] }
    const filling = within(said, 405, 658)
    const again = { from: 352, until: 658, heard: [...within(talk, 354, 658), ...filling] }
    const { text } = assembled([lost], [{ holes: [[400, 603]], sessions: [again] }])
    expect(text).toBe(textOf([...talk, ...within(said, 405, 1_005)]))
  })

  it('is filled by as many sessions as it took', () => {
    const sessions = [
      { from: 352, until: 505, heard: within(said, 352, 505) },
      { from: 505, until: 658, heard: within(said, 505, 658) },
    ]
    const { text, lanes } = assembled([blank], [{ holes: [[400, 603]], sessions }])
    expect(text).toBe(textOf(said))
    expect(lanes[0]?.legs).toHaveLength(4)
  })

  it('leaves alone what stands between two holes of one session', () => {
    const lost = { from: 0, until: 1_005, heard: without(without(said, 305, 405), 505, 605) }
    const heard = within(said, 252, 658).map(([text, step]): Said => {
      return step > 425 && step < 455 ? [`not-${text}`, step] : [text, step]
    })
    const again = { from: 252, until: 658, heard }
    const holes = [
      [300, 403],
      [500, 603],
    ] as const
    const { text, coverage } = assembled([lost], [{ holes, sessions: [again] }])
    expect(text.split(' ').filter((word) => !word.startsWith('not-'))).toStrictEqual(
      said.map(([word]) => word),
    )
    expect(coverage.holes.map(({ action }) => action)).toStrictEqual(['rerun', 'rerun'])
  })

  it('stays where it was blank again, and so does everything else', () => {
    const again = { from: 352, until: 658, heard: [['mistaken', 370]] as Said[] }
    const before = assembled([blank], [])
    const after = assembled([blank], [{ holes: [[400, 603]], sessions: [again] }])
    expect(after.words).toStrictEqual(before.words)
    expect(after.lanes).toStrictEqual(before.lanes)
    expect(before.coverage.holes).toMatchObject([{ action: 'unresolved', reason: null }])
    expect(after.coverage.holes).toMatchObject([{ action: 'unresolved', reason: 'blank' }])
  })

  it('stays in part where a part of it was blank again', () => {
    const again = { from: 352, until: 658, heard: within(said, 352, 505) }
    const { coverage } = assembled([blank], [{ holes: [[400, 603]], sessions: [again] }])
    expect(coverage.holes).toMatchObject([
      { action: 'rerun', reason: null, startMs: 400 * STEP_MS, endMs: 500 * STEP_MS },
      { action: 'unresolved', reason: 'blank', startMs: 500 * STEP_MS },
    ])
  })

  it('says why nothing was carried', () => {
    const failed = { holesMs: [[32_000, 48_000]], reason: 'engine_unavailable' }
    const { coverage } = assembled([blank], [], { failedReruns: [failed] })
    expect(coverage.holes).toMatchObject([{ action: 'unresolved', reason: 'engine_unavailable' }])
  })
})

/** A talk with gaps of any length, blanks over some of it, and a rerun that hears it otherwise. */
const damagedWith = (
  gapsArbitrary: fc.Arbitrary<number>,
  shiftsArbitrary: fc.Arbitrary<number[]>,
) =>
  fc
    .record({
      gaps: fc.array(gapsArbitrary, { minLength: 20, maxLength: 80 }),
      cuts: fc.array(fc.integer({ min: 1, max: 79 }), { maxLength: 3 }),
      lost: fc.tuple(fc.integer({ min: 0, max: 70 }), fc.integer({ min: 5, max: 40 })),
      // At least 2 s, as `auditWindows` has it.
      around: fc.tuple(fc.integer({ min: 25, max: 60 }), fc.integer({ min: 25, max: 60 })),
      shifts: shiftsArbitrary,
    })
    .map(({ gaps, cuts, lost, around, shifts }) => {
      let step = 10
      const said = gaps.map((gap, index): Said => {
        step += gap
        return [`w${index}`, step]
      })
      const until = step + 15
      const first = Math.min(lost[0], said.length - 1)
      const last = Math.min(said.length - 1, first + lost[1] - 1)
      const borders = [...new Set(cuts.filter((at) => at < said.length))].sort((a, b) => a - b)
      const at = [0, ...borders.map((index) => (said[index]?.[1] ?? 0) + 1), until]
      const left = said.filter((_, index) => index < first || index > last)
      const sessions = at.slice(1).map((end, index): Session => {
        const from = at[index] as number
        return { from, until: end, heard: left.filter(([, its]) => its >= from && its < end) }
      })
      const hole = [said[first - 1]?.[1] ?? 0, (said[last + 1]?.[1] ?? until) - 2] as const
      const from = Math.max(0, hole[0] - around[0])
      const end = Math.min(until, hole[1] + around[1])
      const heard = said
        .map(([text, its], index): Said => [text, Math.max(0, its + (shifts[index] ?? 0))])
        .filter(([, its], index) => {
          // At its own edges a session may miss a word, at those of the recording it doesn't.
          const isBegun = from === 0 || (said[index]?.[1] ?? 0) > from + 2
          return isBegun && (end === until || its < end - 2)
        })
      return { said, first, last, sessions, hole, again: { from, until: end, heard } }
    })
    .filter(({ sessions }) => sessions.every((session) => session.until > session.from))

const oneStep = fc.integer({ min: -1, max: 1 })
/** Words apart from each other, each marked a step early or late the second time. */
const words = damagedWith(
  fc.integer({ min: 3, max: 30 }),
  fc.array(oneStep, { minLength: 80, maxLength: 80 }),
)
/** Words in long runs without a blank, all marked early or late the second time. */
const runs = damagedWith(
  fc.oneof({ weight: 8, arbitrary: fc.constant(1) }, fc.integer({ min: 2, max: 30 })),
  oneStep.map((shift) => Array.from({ length: 80 }, () => shift)),
)

describe('any hole', () => {
  it.each([
    ['words', words],
    ['runs of words', runs],
  ])('of %s is filled with nothing lost, doubled or out of order', (_, damaged) => {
    fc.assert(
      fc.property(damaged, ({ said, first, last, sessions, hole, again }) => {
        const { words, lanes } = assembled(sessions, [{ holes: [hole], sessions: [again] }])
        const heard = words.map(({ text }) => text)
        const known = new Set(again.heard.map(([text]) => text))
        const mustBe = said.filter(([text], index) => {
          return index < first || index > last || known.has(text)
        })
        // Without a word inside the hole nothing is put into it.
        const [fromMs, untilMs] = hole.map((step) => step * STEP_MS) as [number, number]
        const isFilled = again.heard.some(([, step]) => {
          return step * STEP_MS > fromMs + 240 && step * STEP_MS < untilMs - 240
        })
        const expected = isFilled ? mustBe : said.filter((_, at) => at < first || at > last)
        expect(heard).toStrictEqual(expected.map(([text]) => text))
        const legs = lanes[0]?.legs ?? []
        for (const [index, leg] of legs.entries()) {
          expect(leg.index).toBe(index)
          expect(leg.startMs).toBe(index === 0 ? 0 : legs[index - 1]?.endMs)
          expect(leg.deltas).toBeGreaterThanOrEqual(0)
        }
        expect(legs.at(-1)?.endMs).toBe((sessions.at(-1)?.until ?? 0) * STEP_MS)
      }),
      { numRuns: 300 },
    )
  })
})
