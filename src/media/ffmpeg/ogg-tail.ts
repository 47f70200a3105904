/** Longest possible page of an Ogg file, in bytes: at least this much of its end must be read. */
export const OGG_PAGE_BYTES_MAX = 27 + 255 + 255 * 255

/**
 * How an Ogg file ends: `complete` with a whole page that closes its stream, `open` with a whole
 * page that doesn't (the writer was stopped), `cut` inside a page, `none` when no page is found.
 */
export type OggTail = 'complete' | 'open' | 'cut' | 'none'

const CAPTURE = Buffer.from('OggS')
const END_OF_STREAM = 4

/** Tells from the last bytes of an Ogg file how it ends. Pure. */
export function oggTail(tail: Uint8Array): OggTail {
  const bytes = Buffer.from(tail.buffer, tail.byteOffset, tail.length)
  for (let at = bytes.lastIndexOf(CAPTURE); at >= 0; ) {
    // `OggS` may also occur inside a packet: only a page has version 0 and no unknown flags.
    const flags = bytes[at + 5] ?? 0
    if ((bytes[at + 4] ?? 0) === 0 && flags <= 7) {
      const pageBytes = pageLength(bytes, at)
      if (pageBytes === null || at + pageBytes > bytes.length) return 'cut'
      return (flags & END_OF_STREAM) !== 0 ? 'complete' : 'open'
    }
    if (at === 0) return 'none'
    at = bytes.lastIndexOf(CAPTURE, at - 1)
  }
  return 'none'
}

/**
 * Length in ms by the position in the last page: samples since the beginning, which Opus always
 * counts at 48 kHz. Null where no page in `tail` has a position. Pure.
 */
export function oggLengthMs(
  tail: Uint8Array,
  { codec, sampleRate }: { codec: string; sampleRate: number },
): number | null {
  const bytes = Buffer.from(tail.buffer, tail.byteOffset, tail.length)
  const rate = codec === 'opus' ? 48_000 : sampleRate
  for (let at = bytes.lastIndexOf(CAPTURE); at >= 0; at = bytes.lastIndexOf(CAPTURE, at - 1)) {
    const isPage = (bytes[at + 4] ?? 1) === 0 && (bytes[at + 5] ?? 8) <= 7
    if (isPage && at + 14 <= bytes.length) {
      // A position of all ones (-1) means that no packet ends on this page.
      const position = bytes.readBigInt64LE(at + 6)
      if (position > 0n) return (Number(position) * 1000) / rate
    }
    if (at === 0) break
  }
  return null
}

/** Bytes of the page at `at`, with its header; null where the header is incomplete. */
function pageLength(bytes: Buffer, at: number): number | null {
  if (at + 27 > bytes.length) return null
  const segments = bytes[at + 26] ?? 0
  if (at + 27 + segments > bytes.length) return null
  let bodyBytes = 0
  for (let index = 0; index < segments; index += 1) bodyBytes += bytes[at + 27 + index] ?? 0
  return 27 + segments + bodyBytes
}
