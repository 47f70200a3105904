/**
 * Control characters and line ends out of a name that came from outside: it must not steer the
 * terminal. Joiners stay, which emoji, Persian and the scripts of India are written with.
 */
export function printable(text: string): string {
  return text.replace(/(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '�')
}
