import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type DatedHistoryEntry,
  decodeHistory,
  type JobHistoryEntry,
  mergedEntry,
} from '../../../../src/queue/contract/job-history.js'

const count = fc.integer({ min: 1, max: 1_000 })
const broke = fc.record({
  kind: fc.constant('session-broke' as const),
  engine: fc.constantFrom('one:8000', 'two:8000'),
  code: fc.constantFrom('engine_crashed', 'session_stalled'),
  times: count,
})
const evicted = fc.record({
  kind: fc.constant('session-evicted' as const),
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
  entry: fc.oneof(broke, evicted, other),
})

describe('the history of a job', () => {
  it('comes back as it was, without what nobody of ours has written', () => {
    const foreign = fc.oneof(fc.string(), fc.json(), fc.constant('{"atMs":1,"entry":{"kind":"x"}}'))
    const entry = fc.oneof(
      dated.map((written) => ({ json: JSON.stringify(written), written })),
      foreign.map((json) => ({ json, written: null })),
    )
    fc.assert(
      fc.property(fc.array(entry), (entries) => {
        const known = entries.flatMap(({ written }) => (written === null ? [] : [written]))
        expect(decodeHistory(entries.map(({ json }) => json))).toEqual(known)
      }),
    )
  })

  it('is read in the names of today where an older release wrote it', () => {
    const error = { code: 'engine_crashed', detail: 'd', retryable: true, stage: 'transcribe' }
    const former = [
      { kind: 'admitted', fence: 2, engines: ['a:1'], safeAudioMs: 40 },
      { kind: 'try-failed', error, tries: 3, backoffMs: 5, safeAudioMs: 0 },
      { kind: 'session-freed', engine: 'a:1', times: 2 },
    ]
    const entries = decodeHistory(former.map((note) => JSON.stringify({ atMs: 1, note })))
    expect(entries.map(({ entry }) => entry)).toEqual([
      { kind: 'admitted', attempt: 2, engines: ['a:1'], checkpointedAudioMs: 40 },
      {
        ...{ kind: 'attempt-failed', error, failuresSinceProgress: 3 },
        ...{ backoffMs: 5, checkpointedAudioMs: 0 },
      },
      { kind: 'session-evicted', engine: 'a:1', times: 2 },
    ])
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
      fc.property(evicted, evicted, (last, note) => {
        const times = last.times + note.times
        expect(mergedEntry(last, note)).toEqual(
          last.engine === note.engine ? { ...note, times } : null,
        )
      }),
    )
  })

  it('tells everything else by itself', () => {
    fc.assert(
      fc.property(
        fc.oneof(broke, evicted, other),
        fc.option(other, { nil: null }),
        (note, last) => {
          expect(mergedEntry(last, note)).toBeNull()
          if (last !== null) expect(mergedEntry(note, last)).toBeNull()
        },
      ),
    )
  })
})
