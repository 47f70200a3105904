import { describe, expect, it } from 'vitest'
import {
  isTruncated,
  markerOf,
  printableLine,
} from '../../../../src/media/ffmpeg/decode-markers.js'

describe('markerOf', () => {
  it.each([
    ['[mov,mp4] stream 0, offset 0x3df33: partial file', 'truncated'],
    ['[matroska,webm @ 0x1] File ended prematurely', 'truncated'],
    ['[http @ 0x1] Stream ends prematurely at 5, should be 9', 'truncated'],
    ['[wav @ 0x1] Packet corrupt (stream = 0, dts = NOPTS).', 'truncated'],
    ['Error while decoding stream #0:0: Invalid data found when processing input', 'damaged'],
    ['[mp3float @ 0x1] Header missing', 'damaged'],
    ['av_interleaved_write_frame(): No space left on device', 'disk_full'],
    ['Guessed Channel Layout for Input Stream #0.0 : mono', null],
    ['[mp3 @ 0x1] Estimating duration from bitrate, this may be inaccurate', null],
  ])('%s', (line, marker) => {
    expect(markerOf(line)).toBe(marker)
  })
})

describe('printableLine', () => {
  it('keeps addresses out and lines short', () => {
    expect(printableLine('[mp3 @ 0x55ff] http://127.0.0.1:4000/0a1b: broken')).toBe(
      '[mp3] <source> broken',
    )
    expect(printableLine('x'.repeat(1_000)).length).toBe(300)
  })
})

describe('isTruncated', () => {
  const whole = {
    decodedMs: 100_000,
    headerMs: 100_000,
    countedMs: 100_000,
    isOpen: false,
    oggTail: null,
    markers: { truncated: 0, damaged: 0, disk_full: 0 },
  }

  it.each([
    ['all agree', {}, false],
    ['nothing is known', { headerMs: null, countedMs: null }, false],
    ['longer than stated', { decodedMs: 200_000 }, false],
    ['a header off by 2 %', { headerMs: 102_000 }, false],
    ['a header off by more', { headerMs: 102_100 }, true],
    ['a short file off by 1 s', { decodedMs: 1_000, headerMs: 2_000, countedMs: null }, false],
    ['a count off by 1 s', { countedMs: 101_000 }, false],
    ['a count off by more', { countedMs: 101_001 }, true],
    ['an Ogg that is closed', { oggTail: 'complete' as const }, false],
    ['an Ogg that is not closed', { oggTail: 'open' as const }, true],
    ['an Ogg that is cut', { oggTail: 'cut' as const }, true],
    ['a marker', { markers: { truncated: 1, damaged: 0, disk_full: 0 } }, true],
    [
      'a marker of one that knows no length',
      { isOpen: true, countedMs: null, markers: { truncated: 1, damaged: 0, disk_full: 0 } },
      false,
    ],
    ['damage alone', { markers: { truncated: 0, damaged: 5, disk_full: 0 } }, false],
  ])('%s', (_, facts, expected) => {
    expect(isTruncated({ ...whole, ...facts })).toBe(expected)
  })
})
