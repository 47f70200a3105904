import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { encodeTones } from '../../fakes/tone-encoder.js'
import { toneScript } from '../../fakes/tone-script.js'
import { writeWav } from '../../fakes/tone-wav.js'

describe('toneScript', () => {
  it('says the same for the same seed', () => {
    const script = { seed: 7, count: 20, everyMs: 300, startMs: 500 }
    expect(toneScript(script)).toEqual(toneScript(script))
  })

  it('shares no word between 100 sessions of 600 words', () => {
    const words = new Set<string>()
    for (let seed = 0; seed < 100; seed++) {
      for (const { text } of toneScript({ seed, count: 600, everyMs: 400 })) words.add(text)
    }
    expect(words.size).toBe(60_000)
  })

  it('keeps words 240 ms apart and inside of its time', () => {
    for (const everyMs of [240, 241, 400, 3000]) {
      const words = toneScript({ seed: 5, count: 200, everyMs, startMs: 1000 })
      const gapsMs = words.map(({ endMs }, index) => endMs - (words[index - 1]?.endMs ?? 880))
      expect(Math.min(...gapsMs)).toBeGreaterThanOrEqual(240)
      expect(words.at(-1)?.endMs).toBeLessThan(1000 + 200 * everyMs)
    }
  })

  it('refuses words too close to each other, and more than there are', () => {
    expect(() => toneScript({ seed: 0, count: 2, everyMs: 239 })).toThrow(RangeError)
    expect(() => toneScript({ seed: 0, count: 65_537, everyMs: 240 })).toThrow(RangeError)
  })
})

describe('encodeTones', () => {
  it.each([
    ['a word of another alphabet', [{ text: 'hello', endMs: 500 }]],
    ['a word that starts before the audio', [{ text: 'babad', endMs: 119 }]],
    ['a word that ends after the audio', [{ text: 'babad', endMs: 1001 }]],
    [
      'words too close to each other',
      [
        { text: 'babad', endMs: 500 },
        { text: 'lusab', endMs: 739 },
      ],
    ],
  ])('refuses %s', (_, words) => {
    expect(() => encodeTones({ words, durationMs: 1000 })).toThrow(RangeError)
  })

  it('sounds just while words are said, and never clips', () => {
    const samples = encodeTones({ words: [{ text: 'lusab', endMs: 500 }], durationMs: 1000 })
    const loud = [...samples.keys()].filter((at) => samples[at] !== 0)
    expect(loud[0]).toBeGreaterThanOrEqual(380 * 16)
    expect(loud.at(-1)).toBeLessThanOrEqual(500 * 16)
    expect(samples.every((sample) => Math.abs(sample) <= 0.8 * 32_767)).toBe(true)
    expect(samples.length).toBe(16_000)
  })
})

describe('writeWav', () => {
  it('interleaves channels behind a header that states its sizes', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nightscribe-wav-'))
    try {
      const path = join(folder, 'two.wav')
      await writeWav(path, [Int16Array.of(1, 2), Int16Array.of(-1, -2)], 8000)
      const wav = await readFile(path)
      expect(wav.length).toBe(44 + 8)
      expect(wav.readUInt32LE(4)).toBe(wav.length - 8)
      expect([wav.readUInt16LE(22), wav.readUInt32LE(24), wav.readUInt32LE(40)]).toEqual([
        2, 8000, 8,
      ])
      expect([0, 2, 4, 6].map((at) => wav.readInt16LE(44 + at))).toEqual([1, -1, 2, -2])
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('refuses channels of different lengths, and none', async () => {
    const path = join(tmpdir(), 'never-written.wav')
    await expect(writeWav(path, [], 8000)).rejects.toThrow(RangeError)
    const uneven = [new Int16Array(2), new Int16Array(3)]
    await expect(writeWav(path, uneven, 8000)).rejects.toThrow(RangeError)
  })
})
