import { deflateRawSync, gzipSync } from 'node:zlib'
import { noise, type OddInput, odd, refused } from './odd-input.js'
import { wav } from './wav-bytes.js'

const NONE = refused('input_unsupported', 'is not an audio or video recording')
const MUTE = refused('no_audio_stream', 'has no audio track')

const PARAGRAPH = 'Dear all, please find the minutes of the meeting below.\n'
const PICTURE = ['-f', 'lavfi', '-i', 'testsrc=size=64x64:rate=5:duration=1']

/** Files that never were recordings, whatever their names say. */
export const noRecordings: readonly OddInput[] = [
  odd('0 bytes', 'empty.wav', refused('media_corrupt', 'is empty (0 bytes)'), () =>
    Buffer.alloc(0),
  ),
  odd('one byte', 'one-byte.mp3', NONE, () => Buffer.from('R')),
  odd('text named .mp3', 'minutes.mp3', NONE, () => Buffer.from(PARAGRAPH.repeat(100))),
  odd('text in UTF-16', 'minutes-utf16.wav', NONE, () =>
    Buffer.from(`\ufeff${PARAGRAPH.repeat(100)}`, 'utf16le'),
  ),
  odd('an error page of a web server', 'download.mp4', NONE, () =>
    Buffer.from(
      `<!DOCTYPE html><html><body><h1>404</h1>${'<p>gone</p>'.repeat(200)}</body></html>`,
    ),
  ),
  odd('JSON', 'answer.m4a', NONE, () =>
    Buffer.from(JSON.stringify({ error: 'expired', items: Array(200).fill({ id: 1 }) })),
  ),
  odd('a PNG', 'slide.wav', NONE, ({ ffmpeg }) => ffmpeg('png', ...PICTURE, '-frames:v', '1')),
  odd('a JPEG', 'photo.mp3', NONE, ({ ffmpeg }) => ffmpeg('jpg', ...PICTURE, '-frames:v', '1')),
  odd('a PDF', 'agenda.ogg', NONE, () =>
    Buffer.concat([Buffer.from('%PDF-1.7\n%\xe2\xe3\xcf\xd3\n', 'latin1'), noise(1, 5_000)]),
  ),
  odd('a zip', 'zipped.wav', NONE, () => zip(Buffer.from(PARAGRAPH.repeat(50)), 0)),
  odd('an encrypted zip', 'locked.mp3', NONE, () => zip(noise(2, 20_000), 1)),
  odd('gzip of a recording', 'packed.wav', NONE, ({ pcm }) => gzipSync(wav({ samples: pcm() }))),
  odd('a program', 'setup.mp3', NONE, () =>
    Buffer.concat([Buffer.from('\x7fELF\x02\x01\x01\0', 'latin1'), noise(3, 60_000)]),
  ),
  odd('random bytes', 'noise.m4a', NONE, () => noise(4, 60_000)),
  odd('zeros', 'zeros.wav', NONE, () => Buffer.alloc(60_000)),
  odd('only subtitles', 'subtitles.mp4', NONE, () => Buffer.from(SUBTITLES)),
  odd('a film without sound', 'mute.mp4', MUTE, ({ ffmpeg }) => ffmpeg('mp4', ...PICTURE)),
  odd('a container with subtitles alone', 'subtitles.mkv', MUTE, async ({ ffmpeg, file }) =>
    ffmpeg('mkv', '-i', await file('subtitles.srt', SUBTITLES), '-c:s', 'srt'),
  ),
]

const SUBTITLES =
  '1\n00:00:00,000 --> 00:00:02,000\nHello.\n\n2\n00:00:02,000 --> 00:00:04,000\nBye.\n'

/** A zip of one file; `flags` 1 says that it is encrypted. */
function zip(content: Buffer, flags: number): Buffer {
  const packed = flags === 1 ? content : deflateRawSync(content)
  const name = Buffer.from('meeting.txt')
  const head = Buffer.alloc(30)
  head.writeUInt32LE(0x0403_4b50, 0)
  head.writeUInt16LE(20, 4)
  head.writeUInt16LE(flags, 6)
  head.writeUInt16LE(flags === 1 ? 0 : 8, 8)
  head.writeUInt32LE(packed.length, 18)
  head.writeUInt32LE(content.length, 22)
  head.writeUInt16LE(name.length, 26)
  return Buffer.concat([head, name, packed])
}
