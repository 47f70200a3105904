/** The part of a body of known length that a `Range` header requests. */
export type RangeAnswer =
  | { kind: 'whole' }
  | { kind: 'part'; startByte: number; endByte: number }
  | { kind: 'unsatisfiable' }

const oneRange = /^bytes=(\d*)-(\d*)$/

/**
 * Parses a `Range` header by RFC 9110. Several ranges, other units and malformed values are
 * answered with the whole body, which the RFC allows. `endByte` is exclusive.
 */
export function rangeAnswer(header: string | undefined, bodyBytes: number): RangeAnswer {
  const match = header === undefined ? null : oneRange.exec(header.trim())
  const first = match?.[1] ?? ''
  const last = match?.[2] ?? ''
  if (!match || (first === '' && last === '')) return { kind: 'whole' }
  if (first === '') {
    const suffixBytes = Math.min(Number(last), bodyBytes)
    if (suffixBytes === 0) return { kind: 'unsatisfiable' }
    return { kind: 'part', startByte: bodyBytes - suffixBytes, endByte: bodyBytes }
  }
  const startByte = Number(first)
  if (last !== '' && Number(last) < startByte) return { kind: 'whole' }
  if (startByte >= bodyBytes) return { kind: 'unsatisfiable' }
  const endByte = last === '' ? bodyBytes : Math.min(Number(last) + 1, bodyBytes)
  return { kind: 'part', startByte, endByte }
}
