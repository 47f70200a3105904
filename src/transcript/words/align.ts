/**
 * Where a piece of a group begins: the step of its delta, and its offset in the text in UTF-16
 * units.
 */
export type PieceStart = readonly [step: number, charOffset: number]

/**
 * A run of non-empty deltas, exactly as the engine sent it, with its leading space.
 *
 * The model marks the end of a word with an empty delta and writes the word after it. Words that
 * end while it is still writing join the group without a mark. So only one end is exact: the word
 * that opens the group ended at the 0-based index of the group's first delta × 80 ms, from the
 * first sample of the leg. Source: the rule of arXiv 2602.11298 as vLLM PR 50783 puts it, less the
 * delta of the mark itself. The resolution is 80 ms; expect the model to be one or two steps off.
 */
export interface WordGroup {
  readonly text: string
  /** End of the word that opens the group, in ms from the start of the recording. */
  readonly endMs: number
  /** 0-based number of the leg in its lane. */
  readonly leg: number
  /** 0-based number, within the leg, of the group's first delta. */
  readonly step: number
  /** Every delta of the group in order; absent for a single delta. */
  readonly pieces?: readonly PieceStart[]
  /** Set when the start of the group was cut off: the end of its first word is an estimate then. */
  readonly isTail?: true
}

/** What is needed to turn a delta's index into a time. */
export interface LegClock {
  leg: number
  /** Where the leg starts in the recording, in ms. */
  legStartMs: number
  /** Audio per delta: 80 ms for Voxtral. */
  stepMs: number
}

/**
 * Most deltas in one group (41 s of speech without a pause), which bounds its memory. A longer run
 * continues in another group at the following step, by which `continuesGroup` recognizes it.
 */
export const GROUP_PIECES_MAX = 512

/**
 * Groups the deltas of one leg as they arrive. Two modes: *between* groups (no pieces held), ended
 * by a delta with text; and *inside* one, ended by an empty delta, by `flush`, or at
 * `GROUP_PIECES_MAX` pieces. It holds only the group that is being written.
 */
export class GroupAligner {
  private readonly clock: LegClock
  private step = 0
  private text = ''
  private pieces: PieceStart[] = []

  constructor(clock: LegClock) {
    this.clock = clock
  }

  /** Takes the next delta, also an empty one. @returns the group that it ended, or null */
  push(delta: string): WordGroup | null {
    const ends = delta === '' || this.pieces.length === GROUP_PIECES_MAX
    const group = ends ? this.flush() : null
    if (delta !== '') {
      this.pieces.push([this.step, this.text.length])
      this.text += delta
    }
    this.step += 1
    return group
  }

  /** Ends the group that is being written, if any. Call it at the end of the session. */
  flush(): WordGroup | null {
    const group = this.writing()
    this.text = ''
    this.pieces = []
    return group
  }

  /** The group that is being written, as far as it has come; null between groups. */
  writing(): WordGroup | null {
    const { text, clock } = this
    const pieces = [...this.pieces]
    const first = pieces[0]
    if (first === undefined) return null
    const [step] = first
    const endMs = clock.legStartMs + step * clock.stepMs
    const group = { text, endMs, leg: clock.leg, step }
    return pieces.length > 1 ? { ...group, pieces } : group
  }
}

/** The groups of a whole leg. `deltas` holds all of them from the first, including empty ones. */
export function alignDeltas(deltas: readonly string[], clock: LegClock): WordGroup[] {
  const aligner = new GroupAligner(clock)
  const groups: WordGroup[] = []
  const keep = (group: WordGroup | null) => {
    if (group) groups.push(group)
  }
  for (const delta of deltas) keep(aligner.push(delta))
  keep(aligner.flush())
  return groups
}

/** The step of the group's last delta. */
export function lastStepOf(group: WordGroup): number {
  return group.pieces?.at(-1)?.[0] ?? group.step
}

/** The step of the delta that contained the character at this offset of the group's text. */
export function stepAt(group: WordGroup, charOffset: number): number {
  let found = group.step
  for (const [step, pieceOffset] of group.pieces ?? []) {
    if (pieceOffset > charOffset) break
    found = step
  }
  return found
}

/** True when no empty delta separates two groups: they are one run, split at `GROUP_PIECES_MAX`. */
export function continuesGroup(group: WordGroup, previous: WordGroup): boolean {
  return group.leg === previous.leg && group.step === lastStepOf(previous) + 1
}
