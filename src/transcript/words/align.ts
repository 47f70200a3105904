/** Where a piece of a group begins: step of its delta, offset in the text in UTF-16 units. */
export type PieceStart = readonly [step: number, charOffset: number]

/**
 * A run of non-empty deltas, exactly as the engine sent it, leading space and all.
 *
 * The model marks the end of a word with an empty delta and writes the word after it; words that
 * end while it is still writing join the run without a mark. So only the group's own end is known,
 * and it is the end of the word that opened it: 0-based index of its first non-empty delta × 80 ms,
 * from the first sample of the leg. Source: the rule of arXiv 2602.11298 as vLLM PR 50783 puts it,
 * less the delta of the mark itself; the resolution is 80 ms, and one or two steps of error are to
 * be expected of the model.
 */
export interface WordGroup {
  readonly text: string
  /** End of the word that opens the group, from the start of the recording. */
  readonly endMs: number
  /** 0-based, in its lane. */
  readonly leg: number
  /** 0-based index of the first delta within the leg. */
  readonly step: number
  /** Every delta of the group in order; absent where there is one only. */
  readonly pieces?: readonly PieceStart[]
  /** The text that opened its run was cut away, so the end of its first word is an estimate. */
  readonly isTail?: true
}

/** What turns an index of a delta into a time. */
export interface LegClock {
  leg: number
  /** Where the leg starts in the recording. */
  legStartMs: number
  /** Audio per delta: 80 ms for Voxtral. */
  stepMs: number
}

/**
 * Deltas in one group, 41 s of talk without a breath. At this length the group ends and the next
 * piece opens another one at the following step, by which `continuesGroup` knows it again.
 */
export const GROUP_PIECES_MAX = 512

/**
 * Groups the deltas of one leg as they arrive. Two modes: *between* groups (no pieces held), ended
 * by a delta with text; and *inside* one, ended by an empty delta, by `flush`, or at
 * `GROUP_PIECES_MAX` pieces. It holds no more than the group that is being written.
 */
export class GroupAligner {
  private readonly clock: LegClock
  private step = 0
  private text = ''
  private pieces: PieceStart[] = []

  constructor(clock: LegClock) {
    this.clock = clock
  }

  /** Takes the next delta, empty ones included. @returns the group that it ended, or null */
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

  /** Ends the group that is being written, if any; at the end of the session. */
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

/** The groups of a whole leg; `deltas` with the empty ones, from the first on. */
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

/** The step of the delta that brought the character at this offset of the group's text. */
export function stepAt(group: WordGroup, charOffset: number): number {
  let found = group.step
  for (const [step, pieceOffset] of group.pieces ?? []) {
    if (pieceOffset > charOffset) break
    found = step
  }
  return found
}

/** Whether no empty delta stands between two groups: then they are one run, cut in two. */
export function continuesGroup(group: WordGroup, previous: WordGroup): boolean {
  return group.leg === previous.leg && group.step === lastStepOf(previous) + 1
}
