import { type PieceStart, stepAt, type WordGroup } from '../words/align.js'

/**
 * Splits a group before a character; a space there goes to the second part. Steps of both parts
 * stay as they were.
 *
 * @param charOffset in the group's text, in UTF-16 units; inside it, at the start of a word or of a
 * piece
 * @param stepMs audio per delta
 */
export function splitGroup(
  group: WordGroup,
  charOffset: number,
  stepMs: number,
): [head: WordGroup, tail: WordGroup] {
  const { text, endMs, leg, isTail } = group
  const pieces = group.pieces ?? [[group.step, 0] as const]
  const tailText = text.slice(charOffset)
  const step = stepAt(group, charOffset + Math.max(0, tailText.search(/\S/)))
  const headPieces = pieces.filter(([, offset]) => offset < charOffset)
  const tailPieces: PieceStart[] = pieces
    .filter(([pieceStep, offset]) => offset > charOffset && pieceStep > step)
    .map(([pieceStep, offset]) => [pieceStep, offset - charOffset])
  const head = {
    ...{ text: text.slice(0, charOffset), endMs, leg, step: group.step },
    ...(headPieces.length > 1 ? { pieces: headPieces } : {}),
    ...(isTail ? { isTail } : {}),
  }
  const tail = {
    ...{ text: tailText, endMs: endMs + (step - group.step) * stepMs, leg, step },
    ...(tailPieces.length > 0 ? { pieces: [[step, 0] as const, ...tailPieces] } : {}),
    isTail: true as const,
  }
  return [head, tail]
}
