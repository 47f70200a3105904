import assert from 'node:assert/strict'
import type { PieceStart, WordGroup } from '../transcript/align.js'
import type { CarriedLeg } from './carried-leg.js'

/** Numbers of a group before those of its pieces. */
const HEAD_NUMBERS = 5

/**
 * A complete leg as it waits for the end of its job: its text in one string, its numbers in as few
 * bytes as they need. As objects the groups of a hundred recordings would be what a worker's memory
 * grows by.
 */
export class PackedLeg {
  /** All of it but the groups. */
  readonly facts: Omit<CarriedLeg, 'groups'>
  private readonly text: string
  /**
   * Of each group: end (ms), leg, step, all three less those of the group before, UTF-16 units of
   * text, kind; of each piece: its start.
   */
  private readonly numbers: Uint8Array

  constructor({ groups, ...facts }: CarriedLeg) {
    this.facts = facts
    this.text = groups.map(({ text }) => text).join('')
    this.numbers = packed(groups.flatMap((group, at) => numbersOf(group, groups[at - 1] ?? FIRST)))
  }

  /** The leg as it was. */
  unpack(): CarriedLeg {
    const groups: WordGroup[] = []
    const numbers = unpacked(this.numbers)
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
        ...{ text: this.text.slice(textAt, textAt + units), endMs, leg, step },
        ...(pieceCount < 0 ? {} : { pieces: piecesOf(numbers.slice(piecesAt, at)) }),
        ...(kind & 1 ? { isTail: true as const } : {}),
      })
      textAt += units
    }
    return { ...this.facts, groups }
  }
}

/** What the first group counts from. */
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
  // Pieces that are absent and a list without any are told apart.
  const kind = 2 * (pieces === undefined ? 0 : pieces.length + 1) + (isTail ? 1 : 0)
  const since = [endMs - before.endMs, leg - before.leg, step - before.step]
  return [...since, text.length, kind, ...(pieces ?? []).flat()]
}

/** Seven bits a byte, the lowest first; signs folded in, so that small ones of both need one. */
function packed(numbers: readonly number[]): Uint8Array {
  const bytes: number[] = []
  for (const number of numbers) {
    assert(number === (number | 0), 'times and steps are whole numbers')
    let rest = ((number << 1) ^ (number >> 31)) >>> 0
    for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
    bytes.push(rest)
  }
  return Uint8Array.from(bytes)
}

function unpacked(bytes: Uint8Array): number[] {
  const numbers: number[] = []
  let folded = 0
  let bits = 0
  for (const byte of bytes) {
    folded = (folded | ((byte & 0x7f) << bits)) >>> 0
    bits += 7
    if (byte > 0x7f) continue
    numbers.push((folded >>> 1) ^ -(folded & 1))
    folded = 0
    bits = 0
  }
  return numbers
}
