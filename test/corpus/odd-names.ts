import { encodeTones } from '../fakes/tone-encoder.js'
import { toneScript } from '../fakes/tone-script.js'
import { wav } from './wav-bytes.js'

/** A name that a file or an object may have, on purpose or by accident. */
export interface OddName {
  /** What is odd about it. */
  what: string
  name: string | Buffer
}

/** Names that a file can have: any bytes but a slash and zero, up to 255. */
export const FILE_NAMES: readonly OddName[] = [
  { what: 'a newline', name: 'first\nsecond.wav' },
  { what: 'a tab and a bell', name: 'tab\tbell\u0007.wav' },
  { what: 'commands for a terminal', name: 'red\u001b[31m\u001b]0;title\u0007.wav' },
  { what: 'text that runs backwards', name: 'gpj.\u202evaw.wav' },
  { what: 'a line separator', name: 'line\u2028paragraph\u2029.wav' },
  { what: 'emoji', name: '🎙️👩‍👩‍👧‍👦 meeting 🇪🇺.wav' },
  { what: 'a composed umlaut', name: 'M\u00fcller.wav' },
  { what: 'the same umlaut in two parts', name: 'Mu\u0308ller.wav' },
  { what: 'quotes', name: '\'single\' "double" `back`.wav' },
  { what: 'a dash in front', name: '-rf.wav' },
  { what: 'an option', name: '--out=x.wav' },
  { what: 'percent signs', name: '100% %s %d %n %2e%2e%2f.wav' },
  { what: 'what a store escapes with', name: '%~%2E.wav' },
  { what: 'a shell command', name: '$(touch pwned); rm -rf * & #.wav' },
  { what: 'a protocol of ffmpeg', name: 'concat:a.wav|file:b.wav' },
  { what: 'an image sequence of ffmpeg', name: 'frame%03d.wav' },
  { what: 'backslashes', name: '..\\..\\etc\\passwd.wav' },
  { what: 'spaces around', name: ' both ends .wav' },
  { what: 'question marks and stars', name: 'what? why* #1.wav' },
  { what: '255 bytes', name: `${'long'.repeat(62)}end.wav` },
  { what: 'bytes that are not UTF-8', name: Buffer.from('latin-\xfc\xff.wav', 'latin1') },
]

/** Names that only an object can have. */
export const KEY_NAMES: readonly OddName[] = [
  { what: 'a way out of the folder', name: '../../../etc/out.wav' },
  { what: 'dots alone', name: '.././..' },
  { what: 'no name at all between slashes', name: 'a//b///c.wav' },
  { what: 'a slash in front', name: '/etc/passwd.wav' },
  { what: '1,000 characters', name: `${'x'.repeat(980)}-long.wav` },
  { what: 'a newline in a key', name: 'two\nlines/in a key.wav' },
  { what: 'no ending', name: 'recording' },
]

/** A recording of 1.6 s with three words that no other one says. */
export function smallRecording(seed: number): { bytes: Buffer; words: string[] } {
  const words = toneScript({ seed: 3_000 + seed, count: 3, everyMs: 400, startMs: 200 })
  const samples = encodeTones({ words, durationMs: 1_600 })
  return { bytes: wav({ samples }), words: words.map(({ text }) => text) }
}
