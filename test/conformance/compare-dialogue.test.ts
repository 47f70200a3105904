import { describe, expect, it } from 'vitest'
import { compareDialogue } from './compare-dialogue.js'
import type { ClientSight, Dialogue, DialogueHeader, DialogueLine } from './dialogue.js'

const delta = (text: string) => ({ recv: { type: 'transcription.delta', delta: text } })
const done = (text: string, completion: number) => ({
  recv: { type: 'transcription.done', text, usage: { completion_tokens: completion } },
})
const error = (text: string, code: string) => ({ recv: { type: 'error', error: text, code } })
const closed = (code: number) => ({ closed: code, reason: '' })

function linesOf(sights: readonly ClientSight[]): DialogueLine[] {
  return sights.map((sight) => ({ t: 0, ...sight }))
}

function recording(sights: readonly ClientSight[], header: Partial<DialogueHeader> = {}): Dialogue {
  return {
    header: {
      dialogue: 'd',
      what: 'w',
      engine: 'e',
      max_model_len: 512,
      compare: 'frames',
      key: null,
      path: '/',
      ...header,
    },
    lines: linesOf(sights),
  }
}

const RECORDED = [
  delta(' a'),
  delta(''),
  done(' a', 2),
  error('Invalid JSON', 'invalid_json'),
  closed(1000),
]

/** The recording with another sight in one place. */
function recordedBut(at: number, sight: ClientSight): ClientSight[] {
  return RECORDED.map((recorded, index) => (index === at ? sight : recorded))
}

describe('a dialogue that was played again', () => {
  it.each<[string, ClientSight[], ClientSight[]]>([
    ['the same', RECORDED, RECORDED],
    [
      'other words',
      RECORDED,
      [delta(''), delta(' b'), done(' b', 2), error('Invalid JSON', 'invalid_json'), closed(1000)],
    ],
    ['other Python', [error('a', 'processing_error')], [error('b', 'processing_error')]],
  ])('agrees: %s', (_, recorded, seen) => {
    expect(compareDialogue(recording(recorded), linesOf(seen))).toEqual([])
  })

  it.each<[string, ClientSight[], RegExp]>([
    ['a delta too few', [delta(' a'), ...RECORDED.slice(2)], /frame 1 \(3 instead of 4\)/],
    ['a delta too many', [delta(''), ...RECORDED], /frame 2 \(5 instead of 4\)/],
    ['nothing at all', [], /frame 0 \(0 instead of 4\).*got nothing/],
    ['another usage', recordedBut(2, done(' a', 3)), /completion_tokens":3/],
    ['another error', recordedBut(3, error('JSON?', 'invalid_json')), /JSON\?/],
    ['another code', recordedBut(3, error('Invalid JSON', 'x')), /"code":"x"/],
    ['a text that its deltas are not', recordedBut(2, done(' b', 2)), /done.text is " b"/],
    ['another close code', recordedBut(4, closed(1006)), /recorded closed with 1000.*1006/],
    ['no end', RECORDED.slice(0, 4), /ending 0 .*got nothing/],
    ['a refusal', [{ refused: 401 }], /upgrade refused with 401/],
  ])('differs: %s', (_, seen, difference) => {
    const differences = compareDialogue(recording(RECORDED), linesOf(seen))
    expect(differences.join('\n')).toMatch(difference)
  })

  it('may end as a race would have it', () => {
    const raced = recording([closed(1009)], { closedAlso: 1006 })
    expect(compareDialogue(raced, linesOf([closed(1006)]))).toEqual([])
    expect(compareDialogue(raced, linesOf([closed(1000)]))).toHaveLength(1)
  })

  it('by kinds, may have another number of deltas, but not none', () => {
    const byKinds = recording(RECORDED, { compare: 'kinds' })
    expect(compareDialogue(byKinds, linesOf([delta(' a'), ...RECORDED.slice(2)]))).toEqual([])
    const without = [done('', 2), ...RECORDED.slice(3)]
    expect(compareDialogue(byKinds, linesOf(without))).toEqual(['no delta came'])
    expect(compareDialogue(byKinds, linesOf(recordedBut(2, done(' a', 9))))).toHaveLength(1)
  })
})
