import assert from 'node:assert/strict'
import type { PieceStart, WordGroup } from '../transcript/align.js'
import type { CarriedLeg } from './carried-leg.js'

/** Numbers of a group before those of its pieces. */
const HEAD_NUMBERS = 5

/**
 * A complete leg as it waits for the end of its job: its text in one string, its numbers in one
 * array. As objects the groups of a hundred recordings would be what a worker's memory grows by.
 */
export class PackedLeg {
  /** All of it but the groups. */
  readonly facts: Omit<CarriedLeg, 'groups'>
  private readonly text: string
  /** Of each group: end (ms), leg, step, UTF-16 units of text, kind; of each piece: its start. */
  private readonly numbers: Int32Array

  constructor({ groups, ...facts }: CarriedLeg) {
    this.facts = facts
    this.text = groups.map(({ text }) => text).join('')
    const numbers = groups.flatMap(numbersOf)
    this.numbers = Int32Array.from(numbers)
    assert(
      numbers.every((value, at) => value === this.numbers[at]),
      'times and steps are whole numbers',
    )
  }

  /** The leg as it was. */
  unpack(): CarriedLeg {
    const groups: WordGroup[] = []
    let textAt = 0
    for (let at = 0; at < this.numbers.length; ) {
      const [endMs = 0, leg = 0, step = 0, units = 0, kind = 0] = this.numbers.subarray(
        at,
        at + HEAD_NUMBERS,
      )
      const piecesAt = at + HEAD_NUMBERS
      const pieceCount = (kind >> 1) - 1
      at = piecesAt + 2 * Math.max(0, pieceCount)
      groups.push({
        ...{ text: this.text.slice(textAt, textAt + units), endMs, leg, step },
        ...(pieceCount < 0 ? {} : { pieces: this.pieces(piecesAt, at) }),
        ...(kind & 1 ? { isTail: true as const } : {}),
      })
      textAt += units
    }
    return { ...this.facts, groups }
  }

  private pieces(from: number, to: number): PieceStart[] {
    const pieces: PieceStart[] = []
    for (let at = from; at < to; at += 2) {
      pieces.push([this.numbers[at] ?? 0, this.numbers[at + 1] ?? 0])
    }
    return pieces
  }
}

function numbersOf({ text, endMs, leg, step, pieces, isTail }: WordGroup): number[] {
  // Pieces that are absent and a list without any are told apart.
  const kind = 2 * (pieces === undefined ? 0 : pieces.length + 1) + (isTail ? 1 : 0)
  return [endMs, leg, step, text.length, kind, ...(pieces ?? []).flat()]
}
