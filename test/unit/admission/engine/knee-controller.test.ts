import { describe, expect, it } from 'vitest'
import { type KneeSight, nextKnee } from '../../../../src/admission/engine/knee-controller.js'
import { EMPTY_LEDGER, type SessionLimit } from '../../../../src/admission/ledger/ledger.js'

const BOUND = { boundMs: 2_000 }
const BROKEN_MS = 2_001
const QUIET_MS = 300
const T0 = 1_770_000_000_000

const limitOf = (knee: number | null, kneeMovedMs = T0): SessionLimit => ({
  ...EMPTY_LEDGER.limit,
  knee,
  kneeMovedMs,
})

/** The limit after so many seconds in which the engine is seen like this every second. */
function seen(limit: SessionLimit, sight: Omit<KneeSight, 'nowMs'>, seconds: number): SessionLimit {
  let state = limit
  for (let second = 1; second <= seconds; second += 1) {
    state = nextKnee(state, { ...sight, nowMs: T0 + second * 1_000 }, BOUND)
  }
  return state
}

describe('the knee', () => {
  it.each([
    ['quiet', QUIET_MS],
    ['at the bound', 2_000],
    ['without deltas', null],
  ])('is not there while lag is %s', (_, lagP99Ms) => {
    expect(seen(limitOf(null), { lagP99Ms, lanes: 80 }, 3_600)).toEqual(limitOf(null))
  })

  it('is what runs when a sign comes twice, so that nobody comes in', () => {
    const broken = { lagP99Ms: BROKEN_MS, lanes: 80 }
    expect(seen(limitOf(null, 0), broken, 4).knee).toBeNull()
    const confirmed = { knee: 80, kneeMovedMs: T0 + 5_000 }
    expect(seen(limitOf(null, 0), broken, 5)).toMatchObject(confirmed)
    expect(seen(limitOf(null, 0), { ...broken, lanes: 0 }, 5).knee).toBe(1)
  })

  it('is none after one bad second, however often there is one', () => {
    const sight = (second: number) => {
      const isBad = second % 16 === 0
      return { lagP99Ms: isBad ? BROKEN_MS : 0, lanes: 4, nowMs: T0 + second * 1_000 }
    }
    let limit = limitOf(null, 0)
    for (let second = 0; second < 3_600; second += 1) limit = nextKnee(limit, sight(second), BOUND)
    expect(limit.knee).toBeNull()
  })

  it('falls by 5 % when lag stays broken for 15 s', () => {
    const broken = { lagP99Ms: BROKEN_MS, lanes: 80 }
    expect(seen(limitOf(null, 0), broken, 19).knee).toBe(80)
    expect(seen(limitOf(null, 0), broken, 20).knee).toBe(76)
  })

  it('waits for a second sign when it stood for long', () => {
    const old = limitOf(64, T0 - 3_600_000)
    const broken = { lagP99Ms: BROKEN_MS, lanes: 64 }
    expect(seen(old, broken, 15).knee).toBe(64)
    expect(seen(old, broken, 16).knee).toBe(61)
  })

  it('waits until those have gone that have to', () => {
    const lowered = limitOf(76)
    expect(seen(lowered, { lagP99Ms: BROKEN_MS, lanes: 80 }, 300).knee).toBe(76)
    const still = { lagP99Ms: BROKEN_MS, lanes: 77 }
    const waiting = seen(lowered, still, 60)
    const gone = { lagP99Ms: BROKEN_MS, lanes: 76 }
    const next = (seconds: number) =>
      nextKnee(waiting, { ...gone, nowMs: waiting.kneeMovedMs + seconds * 1_000 }, BOUND).knee
    expect([next(14), next(15)]).toEqual([76, 73])
  })

  it('follows far fewer lanes that are too many, by a fifth at a time', () => {
    const broken = { lagP99Ms: BROKEN_MS, lanes: 10 }
    expect([15, 30, 45, 60].map((seconds) => seen(limitOf(64), broken, seconds).knee)).toEqual([
      52, 42, 34, 28,
    ])
    expect(seen(limitOf(64), broken, 165).knee).toBe(9)
  })

  it('is one lane at the least', () => {
    expect(seen(limitOf(2), { lagP99Ms: BROKEN_MS, lanes: 1 }, 600).knee).toBe(1)
  })

  it('rises by one when it was reached and quiet for 5 min', () => {
    const quiet = { lagP99Ms: QUIET_MS, lanes: 64 }
    expect(seen(limitOf(64), quiet, 299).knee).toBe(64)
    expect(seen(limitOf(64), quiet, 300)).toMatchObject({ knee: 65, kneeMovedMs: T0 + 300_000 })
  })

  it.each([
    ['lag is not far enough below its bound', 1_001, 64],
    ['it was not reached', QUIET_MS, 63],
    ['nothing is known', null, 64],
  ])('does not rise where %s', (_, lagP99Ms, lanes) => {
    expect(seen(limitOf(64), { lagP99Ms, lanes }, 1_000).knee).toBe(64)
  })

  it('is forgotten when half of it runs for 30 min, not sooner', () => {
    const few = { lagP99Ms: QUIET_MS, lanes: 32 }
    expect(seen(limitOf(64), few, 1_799).knee).toBe(64)
    expect(seen(limitOf(64), few, 1_800).knee).toBeNull()
    expect(seen(limitOf(64), { ...few, lanes: 33 }, 4_000).knee).toBe(64)
    expect(seen(limitOf(64), { lagP99Ms: null, lanes: 0 }, 1_800).knee).toBeNull()
  })

  it('leaves the rest of the limit alone', () => {
    const limit = { ...limitOf(null), penalties: [{ lanes: 3, untilMs: 1 }], correctionBlocks: 7 }
    const { penalties, correctionBlocks } = seen(limit, { lagP99Ms: BROKEN_MS, lanes: 8 }, 60)
    expect({ penalties, correctionBlocks }).toEqual({
      penalties: [{ lanes: 3, untilMs: 1 }],
      correctionBlocks: 7,
    })
  })
})

interface Loop {
  knees: number[]
  lanes: number[]
  lags: number[]
}

/**
 * The controller around an engine that computes `carries` lanes in real time and falls behind with
 * every one more; senders slow down at 4 s of lag. `wanted` lanes want to run; two a second come
 * or, at their change-overs, go.
 */
function closedLoop(options: { carries: number; wanted: number; hours: number }): Loop {
  const { carries, wanted } = options
  const loop: Loop = { knees: [], lanes: [], lags: [] }
  let limit = limitOf(null)
  let lanes = 0
  let lagMs = 0
  const recent: number[] = []
  for (let second = 0; second < options.hours * 3_600; second += 1) {
    const allowed = Math.min(wanted, limit.knee ?? wanted)
    lanes += Math.max(-2, Math.min(2, allowed - lanes))
    lagMs = Math.max(0, Math.min(4_000, lagMs + 1_000 * (lanes / carries - 1)))
    recent.push(100 + lagMs)
    if (recent.length > 5) recent.shift()
    const sight = { lagP99Ms: Math.max(...recent), lanes, nowMs: T0 + second * 1_000 }
    limit = nextKnee(limit, sight, BOUND)
    loop.knees.push(limit.knee ?? wanted)
    loop.lanes.push(lanes)
    loop.lags.push(lagMs)
  }
  return loop
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length

describe('an engine under the controller', () => {
  it.each([
    [64, 100],
    [64, 70],
    [24, 100],
    [150, 200],
    [6, 40],
  ])('that carries %s of %s lanes settles there and stays', (carries, wanted) => {
    const loop = closedLoop({ carries, wanted, hours: 6 })
    const settled = 3_600
    const lanes = loop.lanes.slice(settled)
    expect(Math.max(...lanes)).toBeLessThanOrEqual(Math.ceil(carries * 1.05))
    expect(Math.min(...lanes)).toBeGreaterThanOrEqual(Math.floor(carries * 0.8))
    expect(mean(lanes) / carries).toBeGreaterThan(0.88)
    const late = loop.lags.slice(settled).filter((lagMs) => lagMs > BOUND.boundMs)
    expect(late.length / lanes.length).toBeLessThan(0.05)
  })

  it('does not swing: it is lowered at most a few times an hour', () => {
    const { knees } = closedLoop({ carries: 64, wanted: 100, hours: 8 })
    const falls = knees.slice(3_600).filter((knee, index, all) => knee < (all[index - 1] ?? knee))
    expect(falls.length).toBeLessThanOrEqual(7 * 4)
    expect(falls.length).toBeGreaterThan(0)
  })

  it('that carries everybody has no knee', () => {
    const { knees } = closedLoop({ carries: 100, wanted: 99, hours: 1 })
    expect(new Set(knees)).toEqual(new Set([99]))
  })
})
