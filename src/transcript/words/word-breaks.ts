const EAST_ASIAN = /[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Bopo}\u3000-\u303f\uff00-\uffef]/u
const SOUTH_EAST_ASIAN = /[\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}]/u

/** A run of text without white space and control characters. For `matchAll` only: it is global. */
export const CHUNK = /[^\s\p{Cc}]+/gu

/** Whether no space belongs between two texts, because their scripts are written without spaces. */
export function isUnspaced(before: string, after: string): boolean {
  const seam = lastCharacter(before) + firstCharacter(after)
  return EAST_ASIAN.test(seam) || SOUTH_EAST_ASIAN.test(seam)
}

function firstCharacter(text: string): string {
  return String.fromCodePoint(text.codePointAt(0) as number)
}

function lastCharacter(text: string): string {
  const last = text.charCodeAt(text.length - 1)
  const isLowSurrogate = last >= 0xdc00 && last <= 0xdfff
  return text.slice(isLowSurrogate ? -2 : -1)
}
