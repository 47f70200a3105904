/**
 * Decodes Base64 as vLLM does: characters outside the alphabet are skipped; only the number of
 * letters and the padding after the last of them must fit.
 * @returns null where vLLM raises an error
 */
export function decodeBase64Loosely(text: string): Buffer | null {
  return decodePlain(text) ?? decodeOdd(text)
}

/** The fast path for text without odd characters; null for others. */
function decodePlain(text: string): Buffer | null {
  if (text.length % 4 !== 0 || text.includes('-') || text.includes('_')) return null
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  const bytes = Buffer.from(text, 'base64')
  // Node skips characters it doesn't know: a complete length proves that it skipped none.
  return bytes.length === (text.length / 4) * 3 - padding ? bytes : null
}

function decodeOdd(text: string): Buffer | null {
  let letters = ''
  let paddingAfterLast = 0
  for (const [piece] of text.matchAll(/[A-Za-z0-9+/]+|=|[^\0-\x7f]/g)) {
    if (piece === '=') {
      paddingAfterLast += 1
    } else if (piece.charCodeAt(0) > 0x7f) {
      return null
    } else {
      letters += piece
      paddingAfterLast = 0
    }
  }
  const over = letters.length % 4
  if (over === 1 || (over > 0 && over + paddingAfterLast < 4)) return null
  return Buffer.from(letters, 'base64')
}
