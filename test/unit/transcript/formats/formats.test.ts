import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AssembledTranscript, TranscriptSegment } from '../../../../src/transcript/assemble.js'
import { transcriptFiles } from '../../../../src/transcript/formats/formats.js'
import { plainText } from '../../../../src/transcript/formats/plain-text.js'
import { srtText } from '../../../../src/transcript/formats/srt.js'
import type { SubtitleCue } from '../../../../src/transcript/formats/subtitle-cues.js'
import { subtitleTime } from '../../../../src/transcript/formats/subtitle-time.js'
import { tsvText } from '../../../../src/transcript/formats/tsv.js'
import { vttText } from '../../../../src/transcript/formats/vtt.js'
import { assembleLanes, LIMITS, laneOf, lanesArbitrary, squeezed } from '../transcript-arbitrary.js'

const cue = (startMs: number, lines: string[], channel: number | null = null): SubtitleCue => ({
  startMs,
  endMs: startMs + 1_000,
  lines,
  channel,
})

const segment = (startMs: number, text: string, channel: number | null = null) =>
  ({
    id: 0,
    startMs,
    endMs: startMs + 500,
    text,
    channel,
    leg: 0,
    attempt: 1,
    words: [],
  }) satisfies TranscriptSegment

function fileOf(transcript: AssembledTranscript, name: string): string {
  return transcriptFiles(transcript, LIMITS).find((file) => file.name === name)?.text ?? 'missing'
}

/** A reader of subtitles as strict as any player, for SRT and VTT. */
function readCues(text: string, separator: ',' | '.') {
  const blocks = text.replace(/^WEBVTT\n(\n|$)/, '').split(/\n\n+/)
  return blocks
    .filter((block) => block.trim() !== '')
    .map((block) => {
      const lines = block.replace(/\n$/, '').split('\n')
      const counter = separator === ',' ? Number(lines.shift()) : null
      const stamp = `(\\d{2,}):([0-5]\\d):([0-5]\\d)\\${separator}(\\d{3})`
      const found = new RegExp(`^${stamp} --> ${stamp}$`).exec(lines.shift() ?? '')
      if (!found) throw new Error(`not a cue: ${block}`)
      const [h1, m1, s1, ms1, h2, m2, s2, ms2] = found.slice(1).map(Number) as number[] as [
        number,
        number,
        number,
        number,
        number,
        number,
        number,
        number,
      ]
      const startMs = ((h1 * 60 + m1) * 60 + s1) * 1000 + ms1
      const endMs = ((h2 * 60 + m2) * 60 + s2) * 1000 + ms2
      return { counter, startMs, endMs, lines }
    })
}

/** What a player shows of VTT. */
function unescaped(text: string): string {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
}

describe('subtitleTime', () => {
  it.each([
    [0, '00:00:00,000'],
    [61_001, '00:01:01,001'],
    [3_599_999, '00:59:59,999'],
    [3_600_000, '01:00:00,000'],
    [100 * 3_600_000, '100:00:00,000'],
  ])('%i ms is %s', (timeMs, text) => {
    expect(subtitleTime(timeMs, ',')).toBe(text)
  })
})

describe('an empty transcript', () => {
  it.each([
    ['transcript.srt', ''],
    ['transcript.vtt', 'WEBVTT\n'],
    ['transcript.txt', ''],
    ['transcript.tsv', 'start\tend\ttext\n'],
  ])('%s is %j', (name, text) => {
    expect(fileOf(assembleLanes([laneOf(null, [{ deltas: [] }])]), name)).toBe(text)
  })
})

describe('SRT', () => {
  it('counts from 1 and has commas', () => {
    expect(srtText([cue(0, ['one', 'two']), cue(1_500, ['three'])])).toBe(
      '1\n00:00:00,000 --> 00:00:01,000\none\ntwo\n\n2\n00:00:01,500 --> 00:00:02,500\nthree\n\n',
    )
  })

  it('labels channels from 1', () => {
    expect(srtText([cue(0, ['one'], 1)])).toContain('\n[Channel 2] one\n')
  })

  it.each([
    ['a --> b', 'a -- > b'],
    ['<b>x</b>', '< b>x< /b>'],
    ['{\\an8}', '{ \\an8}'],
    ['1 < 2 & {x}', '1 < 2 & {x}'],
  ])('%j is no markup', (text, written) => {
    expect(srtText([cue(0, [text])])).toContain(`\n${written}\n`)
  })
})

describe('VTT', () => {
  it('has a header, dots and voices', () => {
    expect(vttText([cue(0, ['one', 'two'], 0), cue(1_500, ['three'])])).toBe(
      'WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n<v Channel 1>one\ntwo\n' +
        '\n00:00:01.500 --> 00:00:02.500\nthree\n',
    )
  })

  it('escapes what is markup', () => {
    expect(vttText([cue(0, ['a --> b & <i>'])])).toContain('\na --&gt; b &amp; &lt;i&gt;\n')
  })
})

describe('TSV', () => {
  it('has three columns in ms', () => {
    expect(tsvText([segment(0, 'one'), segment(600, 'two', 0)])).toBe(
      'start\tend\ttext\n0\t500\tone\n600\t1100\t[Channel 1] two\n',
    )
  })

  it('has one line for a segment, whatever is in it', () => {
    expect(tsvText([segment(0, 'a\tb\r\nc')])).toBe('start\tend\ttext\n0\t500\ta b c\n')
  })
})

describe('TXT', () => {
  const text = (segments: TranscriptSegment[]) => plainText(segments, { paragraphGapMs: 3_000 })

  it('is one paragraph as long as nobody pauses', () => {
    expect(text([segment(0, 'One.'), segment(600, 'Two.')])).toBe('One. Two.\n')
  })

  it('opens a paragraph after a long silence', () => {
    expect(text([segment(0, 'One.'), segment(3_500, 'Two.')])).toBe('One.\n\nTwo.\n')
  })

  it('opens a paragraph with its label for another channel', () => {
    expect(text([segment(0, 'Hi.', 0), segment(600, 'Yes?', 1), segment(1_200, 'So.', 1)])).toBe(
      '[Channel 1] Hi.\n\n[Channel 2] Yes? So.\n',
    )
  })

  it('ends a long paragraph with a sentence', () => {
    const long = 'x'.repeat(600)
    expect(
      text([
        segment(0, long),
        segment(600, 'and so.'),
        segment(1_200, 'Next.'),
        segment(1_800, 'Last.'),
      ]),
    ).toBe(`${long} and so.\n\nNext. Last.\n`)
  })
})

describe('files of any transcript', () => {
  it('read back with rising times that never overlap, and all words in order', () => {
    fc.assert(
      fc.property(lanesArbitrary, (lanes) => {
        const transcript = assembleLanes(lanes)
        const srt = readCues(fileOf(transcript, 'transcript.srt'), ',')
        const vtt = readCues(fileOf(transcript, 'transcript.vtt'), '.')
        expect(srt.map((read) => read.counter)).toStrictEqual(srt.map((_, index) => index + 1))
        expect(vtt.map(({ startMs, endMs }) => [startMs, endMs])).toStrictEqual(
          srt.map(({ startMs, endMs }) => [startMs, endMs]),
        )
        const plainSrt = srt.map(({ lines }) => lines.join('').replace(/^\[Channel \d\] /, ''))
        const plainVtt = vtt.map(({ lines }) => {
          return unescaped(lines.join('').replace(/^<v Channel \d>/, ''))
        })
        expect(plainSrt.map(squeezed)).toStrictEqual(plainVtt.map(squeezed))
        let reachedMs = 0
        for (const { startMs, endMs, lines } of vtt) {
          expect(startMs).toBeGreaterThanOrEqual(reachedMs)
          expect(endMs).toBeGreaterThan(startMs)
          expect(lines.join('\n')).not.toContain('-->')
          reachedMs = endMs
        }
        for (const { channel, groups } of lanes) {
          const label = channel === null ? '' : `<v Channel ${channel + 1}>`
          const own = vtt.filter((read) => read.lines[0]?.startsWith(label))
          const written = own.map((read) => read.lines.join('').slice(label.length)).join('')
          expect(squeezed(unescaped(written))).toBe(
            squeezed(groups.map((group) => group.text).join('')),
          )
        }
      }),
      { numRuns: 200 },
    )
  })

  it('have a row for each segment, and all text in paragraphs', () => {
    fc.assert(
      fc.property(lanesArbitrary, (lanes) => {
        const transcript = assembleLanes(lanes)
        const [, ...rows] = fileOf(transcript, 'transcript.tsv').trimEnd().split('\n')
        const label = /^\[Channel \d\] /
        expect(
          rows.map((row) => {
            const [startMs, endMs, text, ...more] = row.split('\t')
            return [Number(startMs), Number(endMs), text?.replace(label, ''), more]
          }),
        ).toStrictEqual(
          transcript.segments.map(({ startMs, endMs, text }) => [startMs, endMs, text, []]),
        )
        const paragraphs = fileOf(transcript, 'transcript.txt').trimEnd().split('\n\n')
        const said = paragraphs.map((paragraph) => paragraph.replace(label, '')).join('')
        expect(squeezed(said)).toBe(squeezed(transcript.text))
      }),
      { numRuns: 200 },
    )
  })
})
