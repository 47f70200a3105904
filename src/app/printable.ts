/**
 * Replaces control characters and line ends in a name from outside: they could steer the terminal.
 * Joiners (U+200C, U+200D) stay, since emoji, Persian and the scripts of India need them.
 */
export function printable(text: string): string {
  return text.replace(/(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '�')
}
