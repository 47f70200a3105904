import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ErrorCode } from '../../../../src/kernel/errors.js'
import {
  decodeEvent,
  decodeRecord,
  encodeFields,
  reachedField,
} from '../../../../src/queue/contract/job-record-codec.js'
import type { JobStatus } from '../../../../src/queue/contract/job-status.js'
import type { JobEvent, JobRecord } from '../../../../src/queue/index.js'

const text = fc.string({ unit: 'grapheme' })
const orNull = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null })
const ms = fc.nat()
const status = fc.constantFrom<JobStatus>('created', 'queued', 'running', 'completed', 'failed')
const error = fc.record({
  code: fc.constantFrom<ErrorCode>('media_corrupt', 'engine_crashed'),
  detail: text,
  retryable: fc.boolean(),
  stage: fc.constantFrom('analyse' as const, 'transcribe' as const),
})
const record: fc.Arbitrary<JobRecord> = fc.record({
  ...{
    tenant: text,
    jobId: text,
    status,
    sourceName: text,
    priority: ms,
    deadlineAt: orNull(text),
  },
  ...{ audioMsTotal: orNull(ms), audioMsDone: ms, checkpointedAudioMs: ms },
  ...{ failuresSinceProgress: ms, fence: orNull(ms), attempt: ms, error: orNull(error) },
  waiting: orNull(fc.record({ place: orNull(ms), expectedStartAtMs: orNull(ms), reason: text })),
  ...{ warnings: fc.array(text), engineIsStandin: orNull(fc.boolean()) },
  ...{ cancelRequested: fc.boolean(), createdAtMs: ms, updatedAtMs: ms },
  reachedAtMs: fc.dictionary(status, ms, { noNullPrototype: true }),
})
const event: fc.Arbitrary<JobEvent> = fc.oneof(
  fc.record({ type: fc.constant('status' as const), status, error: orNull(error) }),
  fc.record({ type: fc.constant('progress' as const), audioMsDone: ms, audioMsTotal: ms }),
  fc.record({ type: fc.constant('text' as const), channel: orNull(ms), endMs: ms, text }),
)
/** What somebody else may have written: no JSON, JSON of anything, and nearly an event. */
const anything = fc.oneof(
  fc.string(),
  fc.json(),
  fc.record({ type: fc.constantFrom('status', 'progress', 'text'), x: fc.anything() }).map((x) => {
    return JSON.stringify(x) ?? ''
  }),
)

/** As `RedisJobBoard.create` lays a card down. */
function hashOf({ reachedAtMs, ...fields }: JobRecord): Record<string, string> {
  const reached = Object.entries(reachedAtMs).map(([name, atMs]) => [reachedField(name), atMs])
  return encodeFields({ ...fields, ...Object.fromEntries(reached) })
}

describe('a card', () => {
  it('comes back out of its hash as it was', () => {
    fc.assert(
      fc.property(record, (before) => {
        expect(decodeRecord(hashOf(before))).toEqual(before)
      }),
    )
  })

  it('is a card or nothing, whatever a field holds', () => {
    fc.assert(
      fc.property(record, fc.nat(), anything, (before, pick, value) => {
        const hash = hashOf(before)
        const names = Object.keys(hash)
        const name = names[pick % names.length] as string
        const found = decodeRecord({ ...hash, [name]: value })
        if (found !== null) expect(decodeRecord(hashOf(found))).toEqual(found)
      }),
    )
  })

  it('of an older release has what that one did not know', () => {
    const [whole] = fc.sample(record, { numRuns: 1, seed: 1 }) as [JobRecord]
    const {
      waiting: _,
      checkpointedAudioMs: __,
      failuresSinceProgress: ___,
      ...older
    } = hashOf(whole)
    expect(decodeRecord(older)).toMatchObject({
      ...{ jobId: whole.jobId, waiting: null, checkpointedAudioMs: 0, failuresSinceProgress: 0 },
    })
  })

  it('of an older release is read by the names of its fields', () => {
    const [whole] = fc.sample(record, { numRuns: 1, seed: 2 }) as [JobRecord]
    const { attempt, failuresSinceProgress, tenant: _, ...others } = hashOf(whole)
    const former = { attempts: attempt ?? '', triesSinceProgress: failuresSinceProgress ?? '' }
    const expected = { ...whole, tenant: 'default' }
    expect(decodeRecord({ ...others, ...former })).toEqual(expected)
    // Changed by this release since: what it wrote counts.
    expect(decodeRecord({ ...others, ...former, attempt: '77' })).toEqual({
      ...expected,
      attempt: 77,
    })
  })

  it('is nothing where there is none', () => {
    expect(decodeRecord({})).toBeNull()
  })
})

describe('a live event', () => {
  it('comes back out of its entry as it was', () => {
    fc.assert(
      fc.property(event, (before) => {
        expect(decodeEvent(JSON.stringify(before))).toEqual(before)
      }),
    )
  })

  it('is an event or nothing, whatever its entry holds', () => {
    fc.assert(
      fc.property(anything, (entry) => {
        const found = decodeEvent(entry)
        if (found !== null) expect(decodeEvent(JSON.stringify(found))).toEqual(found)
      }),
    )
  })
})
