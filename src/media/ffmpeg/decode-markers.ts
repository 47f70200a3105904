/** What a line of ffmpeg's stderr tells of the recording; its exit code tells too little. */
export type DecodeMarker = 'truncated' | 'damaged' | 'disk_full'

const MARKERS: readonly (readonly [RegExp, DecodeMarker])[] = [
  [/No space left on device/, 'disk_full'],
  [/partial file|end(s|ed) prematurely|Packet corrupt|corrupt input packet/i, 'truncated'],
  [/Error (while decoding|submitting packet)|Invalid data found|Header missing/i, 'damaged'],
  [/CRC mismatch|decode_frame|invalid (frame|packet)|Error parsing/i, 'damaged'],
]

/** Classifies one line of stderr; null where it tells nothing of the recording. Pure. */
export function markerOf(line: string): DecodeMarker | null {
  return MARKERS.find(([pattern]) => pattern.test(line))?.[1] ?? null
}

const ADDRESS = /\b[a-z][a-z0-9+.-]*:\/\/\S+/gi

/** A line without URLs (they hold the proxy's token) and memory addresses, at most 300 letters. */
export function printableLine(line: string): string {
  return line
    .replace(ADDRESS, '<source>')
    .replace(/ @ 0x[0-9a-f]+/g, '')
    .slice(0, 300)
}

/** Facts that decide whether a recording is truncated. */
export interface TruncationFacts {
  decodedMs: number
  /** Length that a header states, in ms, as ffprobe reads it; null where unknown. */
  headerMs: number | null
  /** Length by frame counts or chunk sizes in the file's head, in ms; null where unknown. */
  countedMs: number | null
  /** The file has no length by intention: ffmpeg then calls its last packet corrupt, wrongly. */
  isOpen: boolean
  oggTail: 'complete' | 'open' | 'cut' | 'none' | null
  markers: Readonly<Record<DecodeMarker, number>>
}

/**
 * Whether the decoded audio is shorter than the file states. A header may be off by 1 s or 2 %,
 * whichever is more; a count of frames or bytes by 1 s. Pure.
 */
export function isTruncated(facts: TruncationFacts): boolean {
  const { decodedMs, headerMs, countedMs } = facts
  if (facts.markers.truncated > 0 && !facts.isOpen) return true
  if (facts.oggTail === 'cut' || facts.oggTail === 'open') return true
  if (countedMs !== null && decodedMs < countedMs - 1000) return true
  return headerMs !== null && decodedMs < headerMs - Math.max(1000, headerMs * 0.02)
}
