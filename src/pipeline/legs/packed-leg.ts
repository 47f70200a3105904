import assert from 'node:assert/strict'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { PieceStart, WordGroup } from '../../transcript/words/align.js'
import type { CompletedLeg } from './completed-leg.js'

/** Count of numbers that a group has before those of its pieces. */
const HEAD_NUMBERS = 5

/**
 * A leg before it is compressed: its fields without the groups; the text of all groups as one
 * string; and numbers. For each group these are: end (ms), leg and step, each minus that of the
 * group before; UTF-16 units of its text; its kind; the start of each of its pieces.
 */
type Unfolded = [facts: Omit<CompletedLeg, 'groups'>, text: string, numbers: number[]]

/**
 * A complete leg, kept compressed until its job ends: about 800 bytes for a minute of talk. Kept as
 * objects, the groups of 100 recordings would be most of the memory that a worker grows by.
 */
export class PackedLeg {
  readonly endFrame: number
  readonly nextFrame: number
  private readonly bytes: Uint8Array

  constructor({ groups, ...facts }: CompletedLeg) {
    this.endFrame = facts.endFrame
    this.nextFrame = facts.nextFrame
    const text = groups.map((group) => group.text).join('')
    const numbers = groups.flatMap((group, at) => numbersOf(group, groups[at - 1] ?? FIRST))
    assert.ok(numbers.every(Number.isSafeInteger), 'times and steps are whole numbers')
    const unfolded: Unfolded = [facts, text, numbers]
    // Copied, because the packed bytes lie in a shared page of 16 KiB, which would stay in memory.
    this.bytes = Uint8Array.from(deflateRawSync(JSON.stringify(unfolded)))
  }

  /** The leg as it was. */
  unpack(): CompletedLeg {
    const groups: WordGroup[] = []
    const [facts, text, numbers] = JSON.parse(inflateRawSync(this.bytes).toString()) as Unfolded
    let textAt = 0
    let before = FIRST
    for (let at = 0; at < numbers.length; ) {
      const [ended = 0, legs = 0, steps = 0, units = 0, kind = 0] = numbers.slice(
        at,
        at + HEAD_NUMBERS,
      )
      const endMs = before.endMs + ended
      const leg = before.leg + legs
      const step = before.step + steps
      before = { endMs, leg, step }
      const piecesAt = at + HEAD_NUMBERS
      const pieceCount = (kind >> 1) - 1
      at = piecesAt + 2 * Math.max(0, pieceCount)
      groups.push({
        ...{ text: text.slice(textAt, textAt + units), endMs, leg, step },
        ...(pieceCount < 0 ? {} : { pieces: piecesOf(numbers.slice(piecesAt, at)) }),
        ...(kind & 1 ? { isTail: true as const } : {}),
      })
      textAt += units
    }
    return { ...facts, groups }
  }
}

/** The values that the differences in the first group are counted from. */
const FIRST = { endMs: 0, leg: 0, step: 0 }

function piecesOf(numbers: readonly number[]): PieceStart[] {
  const pieces: PieceStart[] = []
  for (let at = 0; at < numbers.length; at += 2) {
    pieces.push([numbers[at] ?? 0, numbers[at + 1] ?? 0])
  }
  return pieces
}

function numbersOf(
  { text, endMs, leg, step, pieces, isTail }: WordGroup,
  before: typeof FIRST,
): number[] {
  // A missing list of pieces means an old document; an empty one means a leg without pieces.
  const kind = 2 * (pieces === undefined ? 0 : pieces.length + 1) + (isTail ? 1 : 0)
  const since = [endMs - before.endMs, leg - before.leg, step - before.step]
  return [...since, text.length, kind, ...(pieces ?? []).flat()]
}
