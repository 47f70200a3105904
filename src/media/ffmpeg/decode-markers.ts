/** What a line on ffmpeg's stderr says about the recording; its exit code says nothing. */
export type DecodeMarker = 'truncated' | 'damaged' | 'disk_full'

const MARKERS: readonly (readonly [RegExp, DecodeMarker])[] = [
  [/No space left on device/, 'disk_full'],
  [/partial file|end(s|ed) prematurely|Packet corrupt|corrupt input packet/i, 'truncated'],
  [/Error (while decoding|submitting packet)|Invalid data found|Header missing/i, 'damaged'],
  [/CRC mismatch|decode_frame|invalid (frame|packet)|Error parsing/i, 'damaged'],
]

/** Classifies one line. Pure. */
export function markerOf(line: string): DecodeMarker | null {
  return MARKERS.find(([pattern]) => pattern.test(line))?.[1] ?? null
}

const ADDRESS = /\b[a-z][a-z0-9+.-]*:\/\/\S+/gi

/** A line without addresses (they hold the proxy's token) and without memory addresses, cut. */
export function printableLine(line: string): string {
  return line
    .replace(ADDRESS, '<source>')
    .replace(/ @ 0x[0-9a-f]+/g, '')
    .slice(0, 300)
}

/** Why a recording is called cut; `none` when nothing says so. */
export interface TruncationFacts {
  decodedMs: number
  /** As a header states it, counted by ffprobe; null when unknown. */
  headerMs: number | null
  /** As we counted it ourselves out of frame counts or chunk sizes; null when unknown. */
  countedMs: number | null
  /** It doesn't know its length: then ffmpeg calls its last packet corrupt, which it is not. */
  isOpen: boolean
  oggTail: 'complete' | 'open' | 'cut' | 'none' | null
  markers: Readonly<Record<DecodeMarker, number>>
}

/**
 * Whether the recording is shorter than it says. A header may be off by 1 s or 2 %, whichever is
 * more; a count of frames or bytes by 1 s. Pure.
 */
export function isTruncated(facts: TruncationFacts): boolean {
  const { decodedMs, headerMs, countedMs } = facts
  if (facts.markers.truncated > 0 && !facts.isOpen) return true
  if (facts.oggTail === 'cut' || facts.oggTail === 'open') return true
  if (countedMs !== null && decodedMs < countedMs - 1000) return true
  return headerMs !== null && decodedMs < headerMs - Math.max(1000, headerMs * 0.02)
}
