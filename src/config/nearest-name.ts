/**
 * The known name that a misspelled one most likely means; null when none is near. Near: at most a
 * third of its letters are wrong, missing or extra. Case doesn't count. Pure.
 */
export function nearestName(name: string, known: readonly string[]): string | null {
  let nearest: string | null = null
  let editsMin = Math.floor(name.length / 3) + 1
  for (const candidate of known) {
    const edits = editsBetween(name.toLowerCase(), candidate.toLowerCase())
    if (edits < editsMin) {
      editsMin = edits
      nearest = candidate
    }
  }
  return nearest
}

/** Number of letters to insert, delete or replace to turn one text into the other (Levenshtein). */
function editsBetween(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (const [index, letter] of [...from].entries()) {
    const next = [index + 1]
    for (let column = 1; column <= to.length; column += 1) {
      const replaced = (row[column - 1] ?? 0) + (letter === to[column - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}
