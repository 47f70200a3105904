import { type OddInput, odd, refused } from './odd-input.js'

const NONE = refused('input_unsupported', 'is not an audio or video recording')

/** Files that name other files and addresses. None of those may ever be opened. */
export const outsideReferences: readonly OddInput[] = [
  odd('a playlist (HLS)', 'playlist.mp3', NONE, ({ url }) =>
    Buffer.from(`#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n${url}/a.ts\n#EXT-X-ENDLIST\n`),
  ),
  odd('a playlist (M3U) of local files', 'list.mp3', NONE, () =>
    Buffer.from(
      '#EXTM3U\n#EXTINF:9,secret\nfile:///etc/hostname\n/etc/hostname\n'.padEnd(400, '#'),
    ),
  ),
  odd('a list of ffmpeg (concat)', 'joined.wav', NONE, ({ url }) =>
    Buffer.from(`ffconcat version 1.0\nfile ${url}/b.wav\nfile /etc/hostname\n`),
  ),
  odd('a manifest (DASH)', 'stream.mp4', NONE, ({ url }) =>
    Buffer.from(`<?xml version="1.0"?><MPD><Period><BaseURL>${url}/c</BaseURL></Period></MPD>`),
  ),
  odd('a session description (SDP)', 'call.wav', NONE, ({ url }) =>
    Buffer.from(
      `v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nm=audio 1 RTP/AVP 0\r\n` +
        `a=control:${url}/d\r\n`,
    ),
  ),
  odd('a reference (ASX)', 'radio.wma', NONE, ({ url }) =>
    Buffer.from(`<asx version="3.0"><entry><ref href="${url}/e"/></entry></asx>`),
  ),
  odd(
    'a film whose sound is in another file',
    'reference.mov',
    refused('media_corrupt', 'holds no audio that can be decoded'),
    async ({ encode, url }) => withReference(await encode('mov', '-c:a', 'aac'), `${url}/f`),
  ),
]

/** The boxes around a data reference, outermost first. */
const AROUND = ['moov', 'trak', 'mdia', 'minf', 'dinf', 'dref']

/** The same film; its audio track points to a path instead of to the file itself. */
function withReference(mov: Buffer, path: string): Buffer {
  const drefAt = mov.lastIndexOf('dref')
  const entryAt = drefAt + 12
  const entry = alias(path)
  const added = entry.length - mov.readUInt32BE(entryAt)
  const copy = Buffer.from(mov)
  for (const type of AROUND) {
    const at = copy.lastIndexOf(type, drefAt) - 4
    copy.writeUInt32BE(copy.readUInt32BE(at) + added, at)
  }
  const rest = copy.subarray(entryAt + mov.readUInt32BE(entryAt))
  return Buffer.concat([copy.subarray(0, entryAt), entry, rest])
}

/** A Macintosh alias record with an absolute path. */
function alias(path: string): Buffer {
  const text = Buffer.from(path.padEnd(path.length + (path.length & 1), ' '))
  const pathHead = Buffer.from([0, 2, text.length >> 8, text.length & 0xff])
  const end = Buffer.from([0xff, 0xff, 0, 0])
  const body = Buffer.concat([Buffer.alloc(4 + 150), pathHead, text, end])
  const head = Buffer.alloc(8)
  head.writeUInt32BE(8 + body.length)
  head.write('alis', 4, 'latin1')
  return Buffer.concat([head, body])
}
