import { id3 } from './broken-recordings.js'
import { heard, noise, type OddInput, odd, refused } from './odd-input.js'
import { silentFlac } from './silent-flac.js'
import { bytesOf, chunk, floats, wav } from './wav-bytes.js'

const ALL = heard('all')
const NOTHING = heard('none')
const SOUNDLESS = refused('media_corrupt', 'holds no audio that can be decoded')
const OPUS = ['-c:a', 'libopus', '-b:a', '48k']
const AAC = ['-c:a', 'aac', '-b:a', '64k']
const MP3 = ['-c:a', 'libmp3lame', '-b:a', '48k']
const RATE = 16_000
const PICTURE = ['-f', 'lavfi', '-i', 'testsrc=size=64x64:rate=5:duration=4']

/** Recordings that are whole, and odd. */
export const oddRecordings: readonly OddInput[] = [
  odd('one sample', 'one-sample.wav', NOTHING, () => wav({ samples: new Int16Array(1) })),
  odd('one sample at 48 kHz', 'one-sample-48k.wav', SOUNDLESS, () =>
    wav({ samples: new Int16Array(1), sampleRate: 48_000 }),
  ),
  odd('exactly one frame of 80 ms', 'one-frame.wav', NOTHING, () => quiet(RATE * 0.08)),
  odd('0.1 s', 'tenth.wav', NOTHING, () => quiet(RATE * 0.1)),
  odd('3 s of silence', 'silence.wav', NOTHING, () => quiet(RATE * 3)),
  odd('eight channels', 'eight.wav', ALL, ({ encode }) =>
    encode('wav', '-af', 'pan=8c|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0|c6=c0|c7=c0'),
  ),
  odd('8 kHz', '8k.wav', ALL, ({ pcm }) => wav({ samples: pcm(8_000), sampleRate: 8_000 })),
  odd('192 kHz', '192k.wav', ALL, ({ pcm }) => wav({ samples: pcm(192_000), sampleRate: 192_000 })),
  odd('a rate that nobody uses', '12345.wav', ALL, ({ pcm }) =>
    wav({ samples: pcm(12_345), sampleRate: 12_345 }),
  ),
  odd('8 bits', 'u8.wav', ALL, ({ encode }) => encode('wav', '-c:a', 'pcm_u8')),
  odd('24 bits', 's24.wav', ALL, ({ encode }) => encode('wav', '-c:a', 'pcm_s24le')),
  odd('64-bit floats', 'f64.wav', ALL, ({ encode }) => encode('wav', '-c:a', 'pcm_f64le')),
  odd('floats with NaN and infinity', 'nan.wav', heard('most'), ({ pcm }) =>
    withHoles(floats(pcm()), RATE),
  ),
  odd('floats with NaN at 48 kHz', 'nan-48k.wav', heard('most'), ({ pcm }) =>
    withHoles(floats(pcm(48_000)), 48_000),
  ),
  odd('floats far above full scale', 'loud.wav', heard('anything', 'coverage_holes'), ({ pcm }) =>
    wav({ samples: bytesOf(floats(pcm()).map((value) => value * 1e9)), format: 3, bits: 32 }),
  ),
  odd('A-law', 'alaw.wav', ALL, ({ encode }) => encode('wav', '-ar', '8000', '-c:a', 'pcm_alaw')),
  odd('mu-law', 'mulaw.wav', ALL, ({ encode }) =>
    encode('wav', '-ar', '8000', '-c:a', 'pcm_mulaw'),
  ),
  odd('ADPCM', 'adpcm.wav', heard('most'), ({ encode }) => encode('wav', '-c:a', 'adpcm_ima_wav')),
  odd('a wav that says 0 bytes', 'size-0.wav', ALL, ({ pcm }) =>
    wav({ samples: pcm(), dataBytes: 0 }),
  ),
  odd('a wav that says 0xFFFFFFFF bytes', 'size-max.wav', ALL, ({ pcm }) =>
    wav({ samples: pcm(), dataBytes: 0xffff_ffff }),
  ),
  odd(
    'a wav that says twice its bytes',
    'size-more.wav',
    heard('all', 'media_truncated'),
    (bench) => wav({ samples: bench.pcm(), dataBytes: bench.pcm().byteLength * 2 }),
  ),
  odd('a wav with junk behind its audio', 'junk-behind.wav', ALL, ({ pcm }) =>
    wav({ samples: pcm(), after: noise(5, 5_001) }),
  ),
  odd('a wav with 100 kB of chunks in front', 'chunks.wav', ALL, ({ pcm }) =>
    wav({ samples: pcm(), before: chunk('bext', noise(6, 100_001)) }),
  ),
  odd('RF64', 'rf64.wav', ALL, ({ pcm }) => wav({ samples: pcm(), long: true })),
  odd('W64', 'sony.w64', ALL, ({ encode }) => encode('w64')),
  odd('AIFF', 'mac.aiff', ALL, ({ encode }) => encode('aiff')),
  odd('CAF', 'iphone.caf', ALL, ({ encode }) => encode('caf')),
  odd('an mp3 named .wav', 'mp3.wav', ALL, ({ encode }) => encode('mp3', ...MP3)),
  odd('a wav named .mp3', 'wav.mp3', ALL, ({ pcm }) => wav({ samples: pcm() })),
  odd('an mp3 with 3 MB of ID3', 'huge-id3.mp3', ALL, async ({ encode }) =>
    Buffer.concat([id3(3_000_000), await encode('mp3', ...MP3, '-id3v2_version', '0')]),
  ),
  odd('an mp3 whose sample rate changes', 'rates.mp3', heard('twice'), async ({ encode }) =>
    Buffer.concat([await bare(encode, '16000'), await bare(encode, '44100')]),
  ),
  odd(
    'an mp3 with a tag in its middle',
    'tag-inside.mp3',
    heard('twice', 'media_damaged'),
    async ({ encode }) =>
      Buffer.concat([await bare(encode, '16000'), id3(3_000), await bare(encode, '16000')]),
  ),
  odd('an mp3 behind junk', 'junk-front.mp3', ALL, async ({ encode }) =>
    Buffer.concat([Buffer.alloc(3_000, 1), await bare(encode, '16000')]),
  ),
  odd('chained ogg', 'chained.ogg', heard('twice'), async ({ encode }) => {
    const args = ['-c:a', 'libopus', '-b:a', '48k']
    return Buffer.concat([await encode('ogg', ...args), await encode('ogg', ...args)])
  }),
  odd('chained ogg of two rates', 'chained-rates.ogg', heard('twice'), async ({ encode }) => {
    const vorbis = ['-c:a', 'libvorbis', '-q:a', '6']
    const parts = [await encode('ogg', ...vorbis), await encode('ogg', ...vorbis, '-ar', '44100')]
    return Buffer.concat(parts)
  }),
  odd('a webm as browsers record it', 'browser.webm', ALL, ({ encode }) =>
    encode('webm', ...OPUS, '-live', '1'),
  ),
  odd('raw AAC', 'adts.aac', ALL, ({ encode }) => encode('aac', ...AAC)),
  odd('sound in a film', 'film.mp4', ALL, ({ encode }) => encode('mp4', ...PICTURE, ...AAC)),
  odd('two audio tracks', 'two-tracks.mka', ALL, ({ encode }) =>
    encode(
      'mka',
      ...['-f', 'lavfi', '-i', 'anullsrc=r=16000:d=2'],
      '-map',
      '0',
      '-map',
      '1',
      ...OPUS,
    ),
  ),
  odd('timestamps that begin at an hour', 'late.mkv', ALL, ({ encode }) =>
    encode('mkv', ...OPUS, '-output_ts_offset', '3600'),
  ),
  odd('an hour of silence in 14 kB', 'hour.flac', NOTHING, () => silentFlac(1)),
]

function quiet(samples: number): Buffer {
  return wav({ samples: new Int16Array(samples) })
}

/** NaN, both infinities and a value out of all bounds, one after every half second. */
function withHoles(samples: Float32Array, sampleRate: number): Buffer {
  const holes = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3e38]
  for (let at = sampleRate, index = 0; at < samples.length; at += sampleRate, index += 1) {
    samples[at] = holes[index % holes.length] as number
  }
  return wav({ samples: bytesOf(samples), format: 3, bits: 32, sampleRate })
}

/** Frames and nothing else. */
async function bare(
  encode: (ending: string, ...args: string[]) => Promise<Buffer>,
  sampleRate: string,
): Promise<Buffer> {
  const args = ['-write_xing', '0', '-id3v2_version', '0', '-ar', sampleRate]
  return await encode('mp3', ...MP3, ...args)
}
