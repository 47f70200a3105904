import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  chainToEvict,
  deadlocked,
  type EvictableChain,
  SILENCE_MAX_MS,
  type StalledGauges,
  silenceBoundMs,
  silenceMs,
} from '../../../../src/admission/engine/eviction-rule.js'
import type { EngineActivity } from '../../../../src/admission/index.js'

const BOUND = { boundMs: SILENCE_MAX_MS }

const activity = (changes: Partial<EngineActivity> = {}): EngineActivity => ({
  worker: 'w1',
  atMs: 10_000,
  newestDeltaMs: 7_999,
  kvBlocksPredicted: 0,
  changedMs: null,
  oldestDueMs: 7_999,
  sessions: 3,
  connectionCounts: [],
  lagP99Ms: null,
  ...changes,
})

describe('an engine', () => {
  it.each<[string, boolean, EngineActivity[]]>([
    ['nobody carries anything on it', false, []],
    ['nothing came for the bound while frames were due', true, [activity()]],
    ['it is silent for just the bound', false, [activity({ newestDeltaMs: 8_000 })]],
    ['the frames are due for just the bound', false, [activity({ oldestDueMs: 8_000 })]],
    ['no frame is due', false, [activity({ oldestDueMs: null, newestDeltaMs: 0 })]],
    [
      'it is far behind but goes on',
      false,
      [activity({ oldestDueMs: 1_000, newestDeltaMs: 9_950 })],
    ],
    ['there never was a delta', true, [activity({ newestDeltaMs: null })]],
    [
      'another worker hears from it',
      false,
      [activity(), activity({ worker: 'w2', newestDeltaMs: 9_900, oldestDueMs: null })],
    ],
    [
      'another worker heard from it and has ended its last session since',
      false,
      [
        activity(),
        activity({ worker: 'w2', newestDeltaMs: 9_900, oldestDueMs: null, sessions: 0 }),
      ],
    ],
    [
      'another worker has nothing due, and has heard nothing',
      true,
      [activity(), activity({ worker: 'w2', newestDeltaMs: 5_000, oldestDueMs: null })],
    ],
    [
      'another worker has not told of the time since',
      false,
      [
        activity(),
        activity({ worker: 'w2', atMs: 9_000, newestDeltaMs: 7_000, oldestDueMs: 6_000 }),
      ],
    ],
    [
      'a worker without sessions has not told of the time since',
      true,
      [activity(), activity({ worker: 'w2', atMs: 9_000, newestDeltaMs: null, sessions: 0 })],
    ],
  ])('%s: %s', (_, isDeadlocked, activities) => {
    expect(deadlocked(activities, null, BOUND)).toBe(isDeadlocked)
    expect(deadlocked([...activities].reverse(), null, BOUND)).toBe(isDeadlocked)
  })

  it('may be silent for longer where it answers late', () => {
    const late = { boundMs: SILENCE_MAX_MS + 8_000 }
    expect(deadlocked([activity({ newestDeltaMs: 500, oldestDueMs: 500 })], null, late)).toBe(false)
    expect(deadlocked([activity({ newestDeltaMs: -1, oldestDueMs: -1 })], null, late)).toBe(true)
  })

  it.each<[string, number, StalledGauges | null]>([
    ['nothing is known', 2_500, null],
    ['its cache is full', 2_500, gauges(0, 1, 40)],
    ['too few blocks are left for a step', 2_500, gauges(0, 36 / 39, 40)],
    ['its cache has room: as long as one session', 60_500, gauges(0, 35 / 39, 40)],
  ])('may be silent, where %s', (_, boundMs, known) => {
    const limits = { stallTimeoutMs: 60_000, deltaDelayMs: 500 }
    expect(silenceBoundMs(known, limits)).toBe(boundMs)
    expect(silenceBoundMs(known, { ...limits, stallTimeoutMs: 100 })).toBe(2_500)
  })

  it('is silent for so long', () => {
    expect(silenceMs([activity({ newestDeltaMs: 4_000, oldestDueMs: 5_000 })])).toBe(5_000)
    expect(silenceMs([activity({ oldestDueMs: null })])).toBe(0)
    expect(silenceMs([])).toBe(0)
  })

  it.each<[string, boolean, StalledGauges | null]>([
    ['nothing is known', true, null],
    ['the server has no such gauges', true, gauges(null, null, null)],
    ['nobody waits for a seat', true, gauges(0, 1, 40)],
    ['somebody waits for a seat', false, gauges(2, 0.3, 1024)],
    ['somebody waits for a seat, and the blocks are not known', false, gauges(2, null, null)],
    ['somebody waits for a seat, and no block is left', true, gauges(2, 1, 40)],
    ['somebody waits for a seat, and too few are left for a step', true, gauges(2, 36 / 39, 40)],
    ['somebody waits for a seat, and enough are left for a step', false, gauges(2, 35 / 39, 40)],
  ])('that is silent is deadlocked where %s: %s', (_, isDeadlocked, known) => {
    expect(deadlocked([activity()], known, BOUND)).toBe(isDeadlocked)
  })
})

function gauges(
  waitingCapacity: number | null,
  kvUsage: number | null,
  kvBlocksTotal: number | null,
): StalledGauges {
  return { waitingCapacity, kvUsage, kvBlocksTotal }
}

/** A row of a recording of a real vLLM: what `/metrics` said, and what each session got. */
interface Row {
  t: number
  kv_used: number
  kv_usable: number
  waiting: { capacity: number }
  sessions: { id: number; deltas: number; due: number; closed: boolean }[]
}

function rowsOf(table: string): Row[] {
  const path = new URL(`../../../conformance/tables/${table}.table.ndjson`, import.meta.url)
  const lines = readFileSync(path, 'utf8').split('\n').filter(Boolean)
  return lines.map((line) => JSON.parse(line))
}

/** What a worker with some of the sessions would have published at each row. */
function activitiesOf(
  rows: readonly Row[],
  worker: string,
  ids: readonly number[],
): EngineActivity[] {
  let before = 0
  let newestDeltaMs: number | null = null
  let oldestDueMs: number | null = null
  return rows.map((row) => {
    const atMs = Math.round(row.t * 1_000)
    const mine = row.sessions.filter(({ id }) => ids.includes(id))
    const deltas = mine.reduce((sum, session) => sum + session.deltas, 0)
    // A delta that came since the row before may have come just now.
    if (deltas > before) newestDeltaMs = atMs
    before = deltas
    const open = mine.filter(({ closed }) => !closed)
    const overdue = open.map(({ due, deltas: got }) => atMs - (due - got) * 80)
    const isBehind = open.some(({ due, deltas: got }) => due > got + 1)
    oldestDueMs = isBehind ? Math.min(oldestDueMs ?? Infinity, ...overdue) : null
    const unknown = { kvBlocksPredicted: 0, changedMs: null, connectionCounts: [], lagP99Ms: null }
    return { worker, atMs, newestDeltaMs, oldestDueMs, sessions: open.length, ...unknown }
  })
}

function gaugesOf(row: Row): StalledGauges {
  return gauges(row.waiting.capacity, row.kv_used / row.kv_usable, row.kv_usable + 1)
}

function judge(table: string, shares: readonly (readonly number[])[], withGauges = true) {
  const rows = rowsOf(table)
  const workers = shares.map((ids, index) => activitiesOf(rows, `w${index}`, ids))
  return rows.flatMap((row, index) => {
    const activities = workers.map((rowsOfWorker) => rowsOfWorker[index] as EngineActivity)
    return deadlocked(activities, withGauges ? gaugesOf(row) : null, BOUND) ? [row.t] : []
  })
}

describe('what a real vLLM did', () => {
  it.each([
    ['one worker', [[0, 1, 2, 3, 4, 5]]],
    [
      'two workers',
      [
        [0, 2, 4],
        [1, 3, 5],
      ],
    ],
    ['a worker a session', [[0], [1], [2], [3], [4], [5]]],
  ])('with its KV cache full is a deadlock, twice, and nothing else is: %s', (_, shares) => {
    const stopped = judge('kv-full', shares)
    const first = [18.1, 20.1, 22.2, 24.2, 26.2]
    expect(stopped.slice(0, 5)).toEqual(first)
    // Session 0 is closed at 27 s: the others go on, until the cache is full again.
    expect(stopped[5]).toBe(34.2)
    expect(stopped.at(-1)).toBe(60.4)
    expect(stopped).toHaveLength(first.length + 14)
    expect(judge('kv-full', shares, false)).toEqual(stopped)
  })

  it.each([
    ['all sessions ours', [[0, 1, 2, 3, 4]]],
    [
      'two workers',
      [
        [0, 1, 2],
        [3, 4],
      ],
    ],
    ['only those that wait ours', [[3, 4]]],
  ])('with more sessions than max_num_seqs is none: %s', (_, shares) => {
    expect(judge('max-num-seqs', shares)).toEqual([])
  })

  it('needs its gauges to tell the two apart where only those that wait are ours', () => {
    expect(judge('max-num-seqs', [[3, 4]], false)).not.toEqual([])
  })
})

describe('the chain with the least to lose', () => {
  const chain = (id: string, changes: Partial<EvictableChain> = {}): EvictableChain => ({
    id,
    worker: 'w1',
    live: false,
    redoFrames: 100,
    kvBlocksHeld: 12,
    ...changes,
  })

  it.each<[string, EvictableChain[], string | null]>([
    ['nobody is there', [], null],
    ['nobody holds anything', [chain('a', { kvBlocksHeld: 0 })], null],
    ['one has less to hear again', [chain('a'), chain('b', { redoFrames: 99 })], 'b'],
    [
      'the one with the least holds nothing',
      [chain('a'), chain('b', { redoFrames: 0, kvBlocksHeld: 0 })],
      'a',
    ],
    [
      'somebody is listening to the one with the least',
      [chain('a', { redoFrames: 5_000 }), chain('b', { redoFrames: 1, live: true })],
      'a',
    ],
    ['all are live', [chain('a', { live: true }), chain('b', { live: true, redoFrames: 50 })], 'b'],
    ['one of two equal ones holds more', [chain('a'), chain('b', { kvBlocksHeld: 13 })], 'b'],
    ['all are equal', [chain('c'), chain('a'), chain('b')], 'a'],
  ])('%s: %s', (_, candidates, id) => {
    expect(chainToEvict(candidates)?.id ?? null).toBe(id)
    expect(chainToEvict([...candidates].reverse())?.id ?? null).toBe(id)
  })
})
