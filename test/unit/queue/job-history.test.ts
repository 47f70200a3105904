import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type DatedHistoryEntry,
  decodeHistory,
  type JobHistoryEntry,
  mergedEntry,
} from '../../../src/queue/job-history.js'

const count = fc.integer({ min: 1, max: 1_000 })
const broke = fc.record({
  kind: fc.constant('session-broke' as const),
  engine: fc.constantFrom('one:8000', 'two:8000'),
  code: fc.constantFrom('engine_crashed', 'session_stalled'),
  times: count,
})
const freed = fc.record({
  kind: fc.constant('session-freed' as const),
  engine: fc.constantFrom('one:8000', 'two:8000'),
  times: count,
})
const other: fc.Arbitrary<JobHistoryEntry> = fc.oneof(
  fc.constantFrom<JobHistoryEntry>(
    { kind: 'submitted' },
    { kind: 'retried' },
    { kind: 'canceled' },
  ),
  fc.record({ kind: fc.constant('waiting' as const), reason: fc.string() }),
  fc.record({
    kind: fc.constant('taken-over' as const),
    takeovers: count,
    checkpointedAudioMs: count,
  }),
)
const dated: fc.Arbitrary<DatedHistoryEntry> = fc.record({
  atMs: fc.nat(),
  note: fc.oneof(broke, freed, other),
})

describe('the history of a job', () => {
  it('comes back as it was, without what nobody of ours has written', () => {
    const foreign = fc.oneof(fc.string(), fc.json(), fc.constant('{"atMs":1,"note":{"kind":"x"}}'))
    const entry = fc.oneof(
      dated.map((note) => ({ json: JSON.stringify(note), note })),
      foreign.map((json) => ({ json, note: null })),
    )
    fc.assert(
      fc.property(fc.array(entry), (entries) => {
        const known = entries.flatMap(({ note }) => (note === null ? [] : [note]))
        expect(decodeHistory(entries.map(({ json }) => json))).toEqual(known)
      }),
    )
  })

  it('counts the same trouble of one engine as one note, and no break is lost', () => {
    fc.assert(
      fc.property(broke, broke, (last, note) => {
        const merged = mergedEntry(last, note)
        const isSame = last.engine === note.engine && last.code === note.code
        expect(merged).toEqual(isSame ? { ...note, times: last.times + note.times } : null)
      }),
    )
  })

  it('counts sessions that were given up on one engine as one note', () => {
    fc.assert(
      fc.property(freed, freed, (last, note) => {
        const times = last.times + note.times
        expect(mergedEntry(last, note)).toEqual(
          last.engine === note.engine ? { ...note, times } : null,
        )
      }),
    )
  })

  it('tells everything else by itself', () => {
    fc.assert(
      fc.property(fc.oneof(broke, freed, other), fc.option(other, { nil: null }), (note, last) => {
        expect(mergedEntry(last, note)).toBeNull()
        if (last !== null) expect(mergedEntry(note, last)).toBeNull()
      }),
    )
  })
})
