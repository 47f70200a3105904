/**
 * The demuxers that may open a recording. Recordings are not trusted: formats that could make
 * ffmpeg open another file or address (playlists, `concat`, `hls`, `dash`, `sdp`, image sequences,
 * devices) are left out.
 */
export const FORMATS_ALLOWED = [
  'aac',
  'ac3',
  'aiff',
  'amr',
  'asf',
  'au',
  'avi',
  'caf',
  'eac3',
  'flac',
  'flv',
  'gsm',
  'matroska',
  'mov',
  'mp3',
  'mpeg',
  'mpegts',
  'mxf',
  'ogg',
  'rm',
  'voc',
  'w64',
  'wav',
  'wv',
].join(',')

/** Input options that keep ffmpeg and ffprobe from opening anything but the loopback proxy. */
export const INPUT_GUARD = [
  '-protocol_whitelist',
  'http,tcp',
  '-format_whitelist',
  FORMATS_ALLOWED,
] as const

const ascii = (head: Uint8Array, at: number, length: number) =>
  Buffer.from(head.buffer, head.byteOffset, head.length).toString('latin1', at, at + length)

const FIRST_FOUR: ReadonlySet<string> = new Set([
  ...['RIFF', 'RF64', 'riff', 'FORM', 'caff', '.snd', 'OggS', 'fLaC', 'wvpk', '#!AM', '.RMF'],
  ...['\x1aE\xdf\xa3', '\0\0\x01\xba'],
])

/**
 * Whether the first bytes are those of an audio or video container. It tells a damaged recording
 * from a file that never was one. Pure.
 */
export function looksLikeMedia(head: Uint8Array): boolean {
  const four = ascii(head, 0, 4)
  if (FIRST_FOUR.has(four)) return true
  if (four.startsWith('ID3') || four.startsWith('FLV') || four === '\x30\x26\xb2\x75') return true
  if (['ftyp', 'moov', 'mdat', 'wide', 'free'].includes(ascii(head, 4, 4))) return true
  // The sync word of an MPEG audio or ADTS frame; but FF FE begins a text in UTF-16.
  const second = head[1] ?? 0
  return head[0] === 0xff && (second & 0xe0) === 0xe0 && second !== 0xfe
}

/** Name of the container (`webm`, `m4a`); ffprobe names only the family of formats. Pure. */
export function containerName(
  format: { name: string; majorBrand: string | null },
  head: Uint8Array,
): string {
  if (format.name.startsWith('matroska')) {
    return ascii(head, 0, 128).includes('webm') ? 'webm' : 'matroska'
  }
  if (format.name.startsWith('mov')) {
    const brand = (format.majorBrand ?? '').trim().toLowerCase()
    if (brand === 'qt') return 'mov'
    if (brand.startsWith('m4a') || brand.startsWith('m4b')) return 'm4a'
    return brand.startsWith('3g') ? '3gp' : 'mp4'
  }
  return format.name.split(',')[0] ?? format.name
}
