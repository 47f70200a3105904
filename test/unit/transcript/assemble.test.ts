import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assembleLanes, laneOf, lanesArbitrary, squeezed } from './transcript-arbitrary.js'

const gap = (count: number) => Array.from({ length: count }, () => '')

describe('assembleTranscript', () => {
  it('gives an empty transcript for no text', () => {
    expect(assembleLanes([laneOf(null, [{ deltas: gap(100) }])])).toMatchObject({
      durationMs: 8_000,
      text: '',
      segments: [],
      words: [],
      lanes: [{ channel: null, text: '', speechMs: 0, transcribedMs: 0 }],
    })
  })

  it('puts legs one after the other', () => {
    const lane = laneOf(null, [
      { deltas: [...gap(5), ' So', '', ' it', '', ' is.', ...gap(10)] },
      { deltas: [...gap(5), ' Good.', ...gap(10)] },
    ])
    const { text, segments } = assembleLanes([lane])
    expect(text).toBe('So it is. Good.')
    expect(
      segments.map(({ id, text: said, leg, attempt, channel }) => [
        id,
        said,
        leg,
        attempt,
        channel,
      ]),
    ).toEqual([
      [0, 'So it is.', 0, 1, null],
      [1, 'Good.', 1, 2, null],
    ])
    expect(segments[1]?.endMs).toBe(20 * 80 + 5 * 80)
  })

  it('merges channels by time, and tells them apart', () => {
    const { text, segments, words, lanes } = assembleLanes([
      laneOf(0, [{ deltas: [...gap(10), ' Hello.', ...gap(40), ' Fine.'] }]),
      laneOf(1, [{ deltas: [...gap(30), ' How', '', ' are', '', ' you?', ...gap(16)] }]),
    ])
    expect(text).toBe('Hello. How are you? Fine.')
    expect(segments.map((segment) => segment.channel)).toStrictEqual([0, 1, 0])
    expect(words.map((word) => [word.text, word.channel, word.segmentId])).toStrictEqual([
      ['Hello.', 0, 0],
      ['How', 1, 1],
      ['are', 1, 1],
      ['you?', 1, 1],
      ['Fine.', 0, 2],
    ])
    expect(lanes.map((lane) => lane.text)).toStrictEqual(['Hello. Fine.', 'How are you?'])
  })

  it('puts the lower channel first where both speak at once', () => {
    const deltas = [...gap(10), ' Hello.']
    const { segments } = assembleLanes([laneOf(1, [{ deltas }]), laneOf(0, [{ deltas }])])
    expect(segments.map((segment) => segment.channel)).toStrictEqual([0, 1])
  })

  it('adds up the coverage of the lanes, and says in which a hole is', () => {
    const { coverage } = assembleLanes([
      laneOf(0, [{ deltas: gap(250) }], { speechMs: [[2_000, 9_000]] }),
      laneOf(1, [{ deltas: [...gap(20), ' word'] }], { speechMs: [[1_000, 2_000]] }),
    ])
    expect(coverage).toStrictEqual({
      speechMs: 8_000,
      transcribedMs: 1_000,
      holes: [{ startMs: 2_000, endMs: 9_000, channel: 0, action: 'unresolved', reason: null }],
    })
  })

  it('tells holes that begin at once by channel', () => {
    const deaf = (channel: number) => {
      return laneOf(channel, [{ deltas: gap(250) }], { speechMs: [[2_000, 9_000]] })
    }
    const { holes } = assembleLanes([deaf(1), deaf(0)]).coverage
    expect(holes.map(({ channel }) => channel)).toStrictEqual([0, 1])
  })

  it('puts no space between segments of a script that has none', () => {
    const lane = laneOf(null, [{ deltas: ['', '東京。', '', '北京。'] }, { deltas: ['', '大学'] }])
    expect(assembleLanes([lane]).text).toBe('東京。北京。大学')
  })

  it('has every word in one segment, in order', () => {
    fc.assert(
      fc.property(lanesArbitrary, (lanes) => {
        const { segments, words, text, durationMs } = assembleLanes(lanes)
        expect(segments.map((segment) => segment.id)).toStrictEqual([...segments.keys()])
        expect(new Set(segments.flatMap((segment) => segment.words))).toStrictEqual(new Set(words))
        expect(squeezed(text)).toBe(segments.map((segment) => squeezed(segment.text)).join(''))
        for (const lane of lanes) {
          const said = squeezed(lane.groups.map((group) => group.text).join(''))
          const own = segments.filter((segment) => segment.channel === lane.channel)
          expect(own.map((segment) => squeezed(segment.text)).join('')).toBe(said)
        }
        let reachedMs = 0
        for (const { id, startMs, endMs, words: members } of segments) {
          expect(startMs).toBeGreaterThanOrEqual(reachedMs)
          expect(endMs).toBeLessThanOrEqual(Math.max(durationMs, words.length))
          expect([members[0]?.startMs, members.at(-1)?.endMs]).toStrictEqual([startMs, endMs])
          expect(members.every((member) => member.segmentId === id)).toBe(true)
          reachedMs = startMs
        }
      }),
      { numRuns: 200 },
    )
  })
})
