import { cut, heard, noise, type OddInput, odd, refused } from './odd-input.js'
import { wav } from './wav-bytes.js'

const SOUNDLESS = refused('media_corrupt', 'holds no audio that can be decoded')
const BAD_HEADER = refused('media_corrupt', 'header is damaged')
const NO_INDEX = refused('media_corrupt', 'its index (moov) is missing')
const CUT = heard('beginning', 'media_truncated')

const OPUS = ['-c:a', 'libopus', '-b:a', '48k']
const AAC = ['-c:a', 'aac', '-b:a', '64k']
const MP3 = ['-c:a', 'libmp3lame', '-b:a', '48k']

/** Recordings that lack a part, or have one that is wrong. */
export const brokenRecordings: readonly OddInput[] = [
  odd('a wav header alone', 'header.wav', SOUNDLESS, () => wav({ samples: new Int16Array(0) })),
  odd('half a wav header', 'half-header.wav', BAD_HEADER, ({ pcm }) =>
    wav({ samples: pcm() }).subarray(0, 20),
  ),
  odd('a flac header alone', 'header.flac', BAD_HEADER, async ({ encode }) =>
    (await encode('flac', '-bitexact')).subarray(0, 42),
  ),
  odd('the first page of an ogg', 'header.ogg', BAD_HEADER, async ({ encode }) =>
    (await encode('ogg', ...OPUS)).subarray(0, 47),
  ),
  odd('the tag of an mp3 alone', 'header.mp3', BAD_HEADER, () => id3(2_000)),
  odd('the first box of an m4a', 'header.m4a', NO_INDEX, async ({ encode }) =>
    (await encode('m4a', ...AAC)).subarray(0, 28),
  ),
  odd('the header of an mkv alone', 'header.mkv', BAD_HEADER, async ({ encode }) =>
    (await encode('mkv', ...OPUS)).subarray(0, 40),
  ),
  odd('a wav cut in the middle', 'cut.wav', CUT, ({ pcm }) => cut(wav({ samples: pcm() }), 0.6)),
  odd('an mp3 cut in the middle', 'cut.mp3', CUT, async ({ encode }) =>
    cut(await encode('mp3', ...MP3), 0.6),
  ),
  odd('an mp3 without a length, cut', 'cut-bare.mp3', heard('beginning'), async ({ encode }) =>
    cut(await encode('mp3', ...MP3, '-write_xing', '0', '-id3v2_version', '0'), 0.6),
  ),
  odd(
    'a flac cut in the middle',
    'cut.flac',
    heard('beginning', 'media_truncated', 'media_damaged'),
    async ({ encode }) => cut(await encode('flac'), 0.6),
  ),
  odd('an ogg cut in the middle', 'cut.ogg', CUT, async ({ encode }) =>
    cut(await encode('ogg', ...OPUS, '-page_duration', '200000'), 0.6),
  ),
  odd('an m4a with its index at the end, cut', 'cut.m4a', NO_INDEX, async ({ encode }) =>
    cut(await encode('m4a', ...AAC), 0.6),
  ),
  odd('an m4a with its index in front, cut', 'cut-faststart.m4a', CUT, async ({ encode }) =>
    cut(await encode('m4a', ...AAC, '-movflags', 'faststart'), 0.6),
  ),
  odd('an m4a without its index', 'no-moov.m4a', NO_INDEX, async ({ encode }) =>
    withoutBox(await encode('m4a', ...AAC), 'moov'),
  ),
  odd('an mkv cut in the middle', 'cut.mkv', CUT, async ({ encode }) =>
    cut(await encode('mkv', ...OPUS), 0.6),
  ),
  odd('a webm cut in the middle', 'cut.webm', CUT, async ({ encode }) =>
    cut(await encode('webm', ...OPUS), 0.6),
  ),
  odd('an ogg with a broken page', 'page.ogg', heard('most', 'media_damaged'), async ({ encode }) =>
    spoiled(await encode('ogg', ...OPUS, '-page_duration', '200000'), 0.5, 40),
  ),
  odd(
    'an mp3 with noise in the middle',
    'noise.mp3',
    heard('most', 'media_damaged'),
    async ({ encode }) => spoiled(await encode('mp3', ...MP3), 0.5, 600),
  ),
  odd(
    'a flac with noise in the middle',
    'noise.flac',
    heard('most', 'media_damaged'),
    async ({ encode }) => spoiled(await encode('flac'), 0.5, 600),
  ),
  odd(
    'an m4a with noise in the middle',
    'noise-aac.m4a',
    heard('most', 'media_damaged'),
    async ({ encode }) => spoiled(await encode('m4a', ...AAC, '-movflags', 'faststart'), 0.6, 600),
  ),
  odd(
    'a flac that says it is longer',
    'long.flac',
    heard('all', 'media_truncated'),
    async (bench) => withTotal(await bench.encode('flac'), 16_000 * 60),
  ),
  odd('a flac that says it is shorter', 'short.flac', heard('all'), async ({ encode }) =>
    withTotal(await encode('flac'), 16_000),
  ),
  odd('a flac that does not know its length', 'streamed.flac', heard('all'), async ({ encode }) =>
    withTotal(await encode('flac'), 0),
  ),
  odd('a wav of 0 Hz', 'no-rate.wav', BAD_HEADER, ({ pcm }) =>
    wav({ samples: pcm(), sampleRate: 0 }),
  ),
  odd('a wav of no channels', 'no-channels.wav', BAD_HEADER, ({ pcm }) =>
    wav({ samples: pcm(), channels: 0 }),
  ),
  odd(
    'a wav of an unknown codec',
    'codec.wav',
    refused('media_corrupt', "can't be understood"),
    ({ pcm }) => wav({ samples: pcm(), format: 0x4242 }),
  ),
]

/** An ID3 tag with a comment of so many bytes. */
export function id3(bytes: number): Buffer {
  const text = Buffer.concat([Buffer.from('\x03eng\0', 'latin1'), Buffer.alloc(bytes, 'x')])
  const frame = Buffer.concat([Buffer.from('COMM'), syncSafe(text.length), Buffer.alloc(2), text])
  return Buffer.concat([Buffer.from('ID3\x04\0\0', 'latin1'), syncSafe(frame.length), frame])
}

function syncSafe(value: number): Buffer {
  return Buffer.from([21, 14, 7, 0].map((shift) => (value >> shift) & 0x7f))
}

/** The same length, with noise somewhere in it. */
function spoiled(bytes: Buffer, share: number, length: number): Buffer {
  const copy = Buffer.from(bytes)
  noise(9, length).copy(copy, Math.floor(bytes.length * share))
  return copy
}

function withoutBox(bytes: Buffer, type: string): Buffer {
  const at = bytes.indexOf(type) - 4
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + bytes.readUInt32BE(at))])
}

/** Another total of samples in STREAMINFO: 36 bits, the last of them from byte 22. */
function withTotal(flac: Buffer, samples: number): Buffer {
  const copy = Buffer.from(flac)
  copy.writeUInt8(copy.readUInt8(21) & 0xf0, 21)
  copy.writeUInt32BE(samples, 22)
  return copy
}
