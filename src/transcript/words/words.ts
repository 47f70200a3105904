import { continuesGroup, lastStepOf, stepAt, type WordGroup } from './align.js'
import { spaceApart } from './spaced-times.js'
import { CHUNK, isUnspaced } from './word-breaks.js'

/**
 * A word with its times, in whole ms from the start of the recording. Text and duration are never
 * empty.
 */
export interface TranscriptWord {
  /** The word without white space, with its punctuation. */
  readonly text: string
  /** Whether a space precedes the word; false inside scripts that are written without spaces. */
  readonly spaced: boolean
  readonly startMs: number
  readonly endMs: number
  /** 0-based number of the leg in its lane. */
  readonly leg: number
  /** 0-based number, within the leg, of the delta that opened the word. */
  readonly step: number
  /** 0-based number of the emission group in its lane. */
  readonly group: number
  /** Which times are estimates. A start always is; an end isn't where the engine marked it. */
  readonly interpolated: { readonly start: boolean; readonly end: boolean }
}

/** The fields of a leg that word times need. */
export interface WordLeg {
  readonly index: number
  readonly startMs: number
  readonly endMs: number
  readonly timing: 'token-step' | 'estimated'
}

/** What words are derived with, beside their groups. */
export interface WordOptions {
  /** Audio per delta, in ms. */
  stepMs: number
  /** Duration of the recording: no word ends later. */
  durationMs: number
  /**
   * Legs of the lane as sent: words lie inside their leg, and no end in an estimated leg counts as
   * exact.
   */
  legs: readonly WordLeg[]
}

/** Shortest duration of a word, in ms, where several words have the same end. */
const WORD_MIN_MS = 20
/** Estimated time to say a word: a base and a part per character, up to a maximum. */
const SPOKEN_BASE_MS = 60
const SPOKEN_PER_CHAR_MS = 70
const SPOKEN_MAX_MS = 900
/**
 * Most steps between two parts of one word. The engine holds incomplete bytes of a character back
 * for up to 3 deltas, which are empty then: they don't separate two words.
 */
const HELD_STEPS_MAX = 4

const ENDS_IN_SPACE = /[\s\p{Cc}]$/u
const CLOSING_PUNCTUATION = /^[\p{Pe}\p{Pf}\p{Po}]+$/u

interface DraftWord {
  text: string
  spaced: boolean
  endMs: number
  /** True when the end is the engine's own mark. */
  marked: boolean
  leg: number
  step: number
  group: number
}

/**
 * The words of one lane in order, with rising times: no overlaps, no word of zero length, none
 * after the end of the recording (unless there are more words than milliseconds).
 *
 * End: the word that opens a group ends at the group's `endMs`. A later word of the group had ended
 * by the time its first piece was written, so the end is that piece's step, and an estimate. Start:
 * the end less the time it takes to say the word, but not before the previous word's end or the
 * leg's start. A group without spaces is one word.
 */
export function wordsOfGroups(
  groups: readonly WordGroup[],
  options: WordOptions,
): TranscriptWord[] {
  const legs = new Map(options.legs.map((leg) => [leg.index, leg]))
  const drafts = draftWords(groups, legs, options)
  const endsMs = spaceApart(
    drafts.map((draft) => draft.endMs),
    drafts.map(() => WORD_MIN_MS),
    options.durationMs,
  )
  let previousEndMs = 0
  return drafts.map((draft, index) => {
    const endMs = endsMs[index] as number
    const legStartMs = Math.ceil(legs.get(draft.leg)?.startMs ?? 0)
    const earliestMs = legStartMs < endMs ? Math.max(previousEndMs, legStartMs) : previousEndMs
    const startMs = Math.max(earliestMs, endMs - spokenMs(draft.text))
    previousEndMs = endMs
    const { text, spaced, leg, step, group } = draft
    const moved = endMs !== Math.round(draft.endMs)
    const interpolated = { start: true, end: moved || !draft.marked }
    return { text, spaced, startMs, endMs, leg, step, group, interpolated }
  })
}

function spokenMs(text: string): number {
  return Math.min(SPOKEN_MAX_MS, SPOKEN_BASE_MS + SPOKEN_PER_CHAR_MS * text.length)
}

function draftWords(
  groups: readonly WordGroup[],
  legs: ReadonlyMap<number, WordLeg>,
  options: WordOptions,
): DraftWord[] {
  const drafts: DraftWord[] = []
  let previous: WordGroup | undefined
  let spaceOwed = false
  groups.forEach((group, groupIndex) => {
    const leg = legs.get(group.leg)
    const latestMs = leg?.endMs ?? options.durationMs
    const continues =
      group.isTail === true || (previous !== undefined && continuesGroup(group, previous))
    let opens = true
    for (const { 0: text, index: charOffset } of group.text.matchAll(CHUNK)) {
      const before = charOffset === 0 && !spaceOwed ? drafts.at(-1) : undefined
      const link = before && previous ? linkOf(text, group, before, previous) : 'space'
      const step = opens ? group.step : stepAt(group, charOffset)
      const markedMs = group.endMs + (step - group.step) * options.stepMs
      const marked = opens && !continues && markedMs <= latestMs && leg?.timing !== 'estimated'
      const endMs = Math.max(0, Math.min(markedMs, latestMs))
      opens = false
      if (before && link === 'join') before.text += text
      else {
        const spaced = link === 'space'
        drafts.push({ text, spaced, endMs, marked, leg: group.leg, step, group: groupIndex })
      }
    }
    spaceOwed = ENDS_IN_SPACE.test(group.text)
    previous = group
  })
  return drafts
}

/**
 * How a text without a space before it connects to the previous word: `join` makes it part of that
 * word, `glue` starts a new word without a space, `space` one with a space.
 */
function linkOf(
  text: string,
  group: WordGroup,
  before: DraftWord,
  previous: WordGroup,
): 'join' | 'glue' | 'space' {
  const sameLeg = group.leg === previous.leg
  if (sameLeg && CLOSING_PUNCTUATION.test(text)) return 'join'
  if (isUnspaced(before.text, text)) return 'glue'
  const held = sameLeg && group.step - lastStepOf(previous) <= HELD_STEPS_MAX
  return held ? 'join' : 'space'
}
