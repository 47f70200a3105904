/**
 * Maps keys to paths below a folder and back, one to one: every key has a path, and every file that
 * a person puts there has a key. Pure.
 *
 * A segment of a key is also the file's name where that is safe (`Müller 100%.wav`). Otherwise:
 *
 * - `%~` and the segment with its unsafe bytes as `%XX`: for `.`, `..`, leading dots, control
 *   characters, the empty segment, segments longer than 200 bytes, and segments that begin with
 *   `%~` or `%!`. An escaped segment that is too long is split into folders; all but the last end
 *   with `%~`.
 * - A file name that no key maps to (control characters, bytes that are not UTF-8, more than 200
 *   bytes) has as its key `%!` and the name with its unsafe bytes as `%XX`.
 *
 * Names that begin with a dot have no key: they are temporary files of ours or of other programs.
 */

/** Longest key, in bytes of UTF-8, as in S3. */
export const KEY_BYTES_MAX = 1024

const NAME_BYTES_MAX = 200
/** Longest name in bytes that file systems allow. */
const FOREIGN_BYTES_MAX = 255
const ENCODED = '%~'
const FOREIGN = '%!'
const PIECE_END = '%~'
/** Longest piece of an escaped segment, in bytes, between the `%~` before and after it. */
const PIECE_BYTES_MAX = NAME_BYTES_MAX - ENCODED.length - PIECE_END.length

/** The names from the root down to the key's file; never empty, never `.`, `..` or with a slash. */
export function namesOfKey(key: string): Buffer[] {
  return key.split('/').flatMap(namesOfSegment)
}

/** The key segment of a file or folder with this name; null for hidden ones. */
export function segmentOfName(name: Buffer): string | null {
  if (name[0] === 0x2e) return null
  const text = name.toString('utf8')
  if (Buffer.from(text).equals(name)) {
    if (isPlain(text)) return text
    const decoded = text.startsWith(ENCODED) ? decodeEscapes(text.slice(ENCODED.length)) : null
    const segment = decoded?.toString('utf8')
    if (segment !== undefined && leadsTo(segment, [name])) return segment
  }
  return FOREIGN + encodeEscapes(name)
}

/** Whether a folder is one piece of a split segment, which its entries continue. */
export function isPieceName(name: Buffer): boolean {
  return pieceOfName(name.toString('utf8')) !== null
}

/**
 * The segment that was split into these names. Null where `namesOfKey` would not give the same
 * names: a person made folders that look like pieces, and their files have no key.
 */
export function segmentOfPieces(names: readonly Buffer[]): string | null {
  const texts = names.map((name) => name.toString('utf8'))
  const last = texts.pop() ?? ''
  if (!last.startsWith(ENCODED)) return null
  const escaped = [...texts.map((text) => pieceOfName(text) ?? ''), last.slice(ENCODED.length)]
  const segment = decodeEscapes(escaped.join(''))?.toString('utf8')
  return segment !== undefined && leadsTo(segment, names) ? segment : null
}

function namesOfSegment(segment: string): Buffer[] {
  const foreign = foreignName(segment)
  if (foreign) return [foreign]
  if (isPlain(segment)) return [Buffer.from(segment)]
  const pieces = split(encodeEscapes(Buffer.from(segment)))
  const last = pieces.length - 1
  return pieces.map((piece, i) => Buffer.from(ENCODED + piece + (i < last ? PIECE_END : '')))
}

function leadsTo(segment: string, names: readonly Buffer[]): boolean {
  const back = namesOfSegment(segment)
  return back.length === names.length && back.every((name, i) => name.equals(names[i] as Buffer))
}

function pieceOfName(text: string): string | null {
  const ends = ENCODED.length + PIECE_END.length
  if (text.length <= ends || !text.startsWith(ENCODED) || !text.endsWith(PIECE_END)) return null
  return text.slice(ENCODED.length, -PIECE_END.length)
}

/** The file name of a `%!` segment; null where that name would have another segment. */
function foreignName(segment: string): Buffer | null {
  if (!segment.startsWith(FOREIGN)) return null
  const name = decodeEscapes(segment.slice(FOREIGN.length))
  if (!name || name.length === 0 || name.length > FOREIGN_BYTES_MAX) return null
  if (name.includes(0) || name.includes(0x2f)) return null
  return segmentOfName(name) === segment ? name : null
}

function isPlain(segment: string): boolean {
  if (segment === '' || segment.startsWith('.')) return false
  if (segment.startsWith(ENCODED) || segment.startsWith(FOREIGN)) return false
  return !hasControlCharacter(segment) && Buffer.byteLength(segment) <= NAME_BYTES_MAX
}

function hasControlCharacter(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) {
    if (isControl(text.charCodeAt(i))) return true
  }
  return false
}

const isControl = (code: number) => code < 0x20 || code === 0x7f

/** Escapes `%`, `/`, control characters and bytes that aren't UTF-8 as `%XX`. */
function encodeEscapes(bytes: Buffer): string {
  let text = ''
  for (let i = 0; i < bytes.length; ) {
    const length = utf8Length(bytes, i)
    const byte = bytes[i] as number
    const unsafe = isControl(byte) || byte === 0x25 || byte === 0x2f
    if (length === 0 || unsafe) {
      text += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
      i += 1
    } else {
      text += bytes.toString('utf8', i, i + length)
      i += length
    }
  }
  return text
}

/** Decodes `%XX`; null where a `%` isn't followed by two upper-case hex digits. */
function decodeEscapes(text: string): Buffer | null {
  const parts = text.split('%')
  const bytes = [Buffer.from(parts[0] as string)]
  for (const part of parts.slice(1)) {
    if (!/^[0-9A-F]{2}/.test(part)) return null
    bytes.push(Buffer.of(Number.parseInt(part.slice(0, 2), 16)), Buffer.from(part.slice(2)))
  }
  return Buffer.concat(bytes)
}

/** Bytes of the UTF-8 character that begins at an index; 0 where none does. */
function utf8Length(bytes: Buffer, index: number): number {
  const lead = bytes[index] as number
  const length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
  if (length <= 1) return length
  const character = bytes.subarray(index, index + length)
  return Buffer.from(character.toString('utf8')).equals(character) ? length : 0
}

/** Splits an escaped segment, never within an escape or a character; an empty one is one piece. */
function split(escaped: string): string[] {
  const pieces: string[] = []
  let piece = ''
  let pieceBytes = 0
  for (const unit of escaped.match(/%[0-9A-F]{2}|[^%]/gu) ?? []) {
    const unitBytes = Buffer.byteLength(unit)
    if (pieceBytes + unitBytes > PIECE_BYTES_MAX) {
      pieces.push(piece)
      piece = ''
      pieceBytes = 0
    }
    piece += unit
    pieceBytes += unitBytes
  }
  return [...pieces, piece]
}
