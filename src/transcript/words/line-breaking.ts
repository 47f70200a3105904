/** A piece of text before which a line may be broken: a word, or a part of an overlong word. */
export interface TextPiece {
  readonly text: string
  /** Whether a space precedes it, except at the start of a line. */
  readonly spaced: boolean
}

const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' })
/** Texts in which each UTF-16 unit is one character: measured by their length, which is faster. */
const PLAIN = /^[\x20-\u02ff\u2010-\u2027]*$/
const CLAUSE_END = /[\p{Pe}\p{Pf}\p{Po}\p{Pd}]$/u

/** More than the raggedness of all lines can cost, so that fewer lines always win. */
const LINE_COST = 1e9
/** Factor on a line's raggedness when the line ends with a clause: such breaks are preferred. */
const CLAUSE_END_COST = 0.6

/** Width in characters as people count them (graphemes). */
export function textWidth(text: string): number {
  if (PLAIN.test(text)) return text.length
  let width = 0
  for (const _ of graphemes.segment(text)) width += 1
  return width
}

/** Whether a clause or sentence ends with this word. */
export function endsClause(text: string): boolean {
  return CLAUSE_END.test(text)
}

/** The pieces as running text. */
export function joinText(pieces: readonly TextPiece[]): string {
  return pieces.map(({ text, spaced }, index) => (spaced && index > 0 ? ` ${text}` : text)).join('')
}

/** Cuts a text into parts of at most `widthMax` characters, never inside a character (grapheme). */
export function chunksOf(text: string, widthMax: number): string[] {
  if (textWidth(text) <= widthMax) return [text]
  const chunks: string[] = []
  let chunk = ''
  let width = 0
  for (const { segment } of graphemes.segment(text)) {
    if (width === widthMax) {
      chunks.push(chunk)
      chunk = ''
      width = 0
    }
    chunk += segment
    width += 1
  }
  chunks.push(chunk)
  return chunks
}

/** The same text in pieces that each fit a line. */
export function fitPieces(pieces: readonly TextPiece[], widthMax: number): TextPiece[] {
  return pieces.flatMap(({ text, spaced }) =>
    chunksOf(text, widthMax).map((chunk, index) => ({
      text: chunk,
      spaced: index === 0 && spaced,
    })),
  )
}

/** Fills lines one piece at a time; each call returns the fewest lines needed so far. */
export function lineCounter(widthMax: number): (piece: TextPiece) => number {
  let lines = 0
  let width = Number.POSITIVE_INFINITY
  return (piece) => {
    for (const { text, spaced } of fitPieces([piece], widthMax)) {
      const pieceWidth = textWidth(text)
      width += pieceWidth + (spaced ? 1 : 0)
      if (width <= widthMax) continue
      lines += 1
      width = pieceWidth
    }
    return lines
  }
}

/** The fewest lines that hold the pieces. */
export function linesNeeded(pieces: readonly TextPiece[], widthMax: number): number {
  const count = lineCounter(widthMax)
  return pieces.reduce((_, piece) => count(piece), 0)
}

/**
 * Breaks text into the fewest lines of at most `widthMax` characters, as even as possible, and
 * preferably after punctuation. No line is empty. Only spaces at breaks are dropped.
 */
export function breakLines(pieces: readonly TextPiece[], widthMax: number): string[] {
  const parts = fitPieces(pieces, widthMax)
  const widths = parts.map(({ text }) => textWidth(text))
  // best[i]: the lowest cost of lines for the first i parts, and where the last of these lines
  // begins.
  const best: { cost: number; from: number }[] = [{ cost: 0, from: 0 }]
  for (let end = 1; end <= parts.length; end += 1) {
    const last = parts[end - 1] as TextPiece
    let choice = { cost: Number.POSITIVE_INFINITY, from: end - 1 }
    let width = 0
    for (let from = end - 1; from >= 0; from -= 1) {
      width += (widths[from] as number) + (from < end - 1 && parts[from + 1]?.spaced ? 1 : 0)
      if (width > widthMax) break
      const forgiven = endsClause(last.text) ? CLAUSE_END_COST : 1
      const raggedness = (widthMax - width) ** 2 * forgiven
      const cost = (best[from] as { cost: number }).cost + LINE_COST + raggedness
      if (cost < choice.cost) choice = { cost, from }
    }
    best.push(choice)
  }
  const lines: string[] = []
  for (let end = parts.length; end > 0; ) {
    const { from } = best[end] as { from: number }
    lines.unshift(joinText(parts.slice(from, end)))
    end = from
  }
  return lines
}
