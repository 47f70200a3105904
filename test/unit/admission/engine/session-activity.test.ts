import { describe, expect, it } from 'vitest'
import {
  SESSION_EVICTED,
  SessionTracker,
} from '../../../../src/admission/engine/session-activity.js'
import { kvBlocksHeld } from '../../../../src/model/kv-model.js'

const kv = {
  ...{ blockTokens: 16, encoderWindowTokens: 189, decoderWindowTokens: 8192 },
  decoderBlockRatio: 8,
}
const STORE_AHEAD_MS = 1_000_000

function activities() {
  const sessions = new SessionTracker(kv)
  const take = (nowMs: number) => sessions.take('w', nowMs, (atMs) => atMs + STORE_AHEAD_MS)
  const open = (chainId: string, nowMs = 0) => {
    const activity = sessions.open(chainId, nowMs)
    const send = (frames: number, atMs: number) => {
      for (let frame = 0; frame < frames; frame += 1) activity.frameSent(atMs)
    }
    const hear = (deltas: number, atMs: number, lagMs: number | null = null) => {
      for (let delta = 0; delta < deltas; delta += 1) activity.deltaReceived(atMs, lagMs)
    }
    return { ...activity, send, hear }
  }
  return { sessions, take, open }
}

describe('the pulse of an engine', () => {
  it('knows nothing before the first session', () => {
    expect(activities().take(5)).toEqual({
      ...{ worker: 'w', atMs: STORE_AHEAD_MS + 5, sessions: 0, kvBlocksPredicted: 0 },
      connectionCounts: [[STORE_AHEAD_MS, 0]],
      ...{ newestDeltaMs: null, oldestDueMs: null, changedMs: null, lagP99Ms: null },
    })
  })

  it('counts a session as a connection from its greeting to its end, for some seconds', () => {
    const { take, open } = activities()
    const at = (ms: number) => STORE_AHEAD_MS + ms
    const [one, other] = [open('a/0', 10), open('b/0', 10)]
    one.connected(200)
    other.ended(300) // it was never greeted
    expect(take(1_000).connectionCounts).toEqual([
      [at(0), 0],
      [at(200), 1],
    ])
    one.ended(4_000)
    expect(take(6_000).connectionCounts).toEqual([
      [at(200), 1],
      [at(4_000), 0],
    ])
  })

  it('tells times by the clock of the store', () => {
    const { take, open } = activities()
    const session = open('a/0', 10)
    session.send(9, 20)
    session.hear(1, 30)
    const at = (ms: number) => STORE_AHEAD_MS + ms
    const times = { atMs: at(40), changedMs: at(10), newestDeltaMs: at(30), oldestDueMs: at(30) }
    expect(take(40)).toMatchObject(times)
  })

  it('counts a frame as due once seven others were sent before it', () => {
    const { take, open } = activities()
    const session = open('a/0')
    session.send(7, 100)
    expect(take(1_000).oldestDueMs).toBeNull()
    session.send(1, 180)
    session.send(5, 600)
    expect(take(1_000).oldestDueMs).toBe(STORE_AHEAD_MS + 180)
  })

  it('counts from the newest delta on while frames are due still, and not when none is', () => {
    const { take, open } = activities()
    const session = open('a/0')
    session.send(10, 100)
    session.hear(2, 500)
    expect(take(1_000).oldestDueMs).toBe(STORE_AHEAD_MS + 500)
    session.hear(1, 700)
    expect(take(1_000)).toMatchObject({ oldestDueMs: null, newestDeltaMs: STORE_AHEAD_MS + 700 })
    session.send(1, 900)
    expect(take(1_000).oldestDueMs).toBe(STORE_AHEAD_MS + 900)
  })

  it('waits for as long as the session does that waits longest', () => {
    const { take, open } = activities()
    const [one, other] = [open('a/0'), open('b/0')]
    other.send(8, 300)
    one.send(8, 200)
    expect(take(1_000).oldestDueMs).toBe(STORE_AHEAD_MS + 200)
    one.ended(900)
    expect(take(1_000)).toMatchObject({
      ...{ oldestDueMs: STORE_AHEAD_MS + 300, changedMs: STORE_AHEAD_MS + 900, sessions: 1 },
    })
  })

  it('sums up what its sessions hold by the law', () => {
    const { take, open } = activities()
    open('a/0').hear(1_000, 10)
    open('b/0').hear(1, 10)
    open('c/0')
    const { sessions, kvBlocksPredicted } = take(20)
    expect(sessions).toBe(3)
    expect(kvBlocksPredicted).toBe(kvBlocksHeld(kv, 1_000) + kvBlocksHeld(kv, 1))
  })

  it('takes the p99 of the lags since it was last taken', () => {
    const { take, open } = activities()
    const session = open('a/0')
    for (let lagMs = 1_000; lagMs > 0; lagMs -= 1) session.hear(1, 0, lagMs)
    expect(take(0).lagP99Ms).toBe(991)
    expect(take(0).lagP99Ms).toBeNull()
    session.hear(1, 0, 4)
    expect(take(0).lagP99Ms).toBe(4)
  })

  it('leaves out lags that tell nothing of the engine', () => {
    const { take, open } = activities()
    const session = open('a/0')
    session.hear(3, 50, null)
    expect(take(100)).toMatchObject({ lagP99Ms: null, newestDeltaMs: STORE_AHEAD_MS + 50 })
  })

  it('keeps 8,192 lags at most: later ones are heard, but not counted', () => {
    const { take, open } = activities()
    const session = open('a/0')
    session.hear(8_192, 0, 10)
    session.hear(8_192, 70, 5_000)
    expect(take(100)).toMatchObject({ lagP99Ms: 10, newestDeltaMs: STORE_AHEAD_MS + 70 })
  })
})

describe('a session that is closed for the others', () => {
  it('is told so, with the other one of its lane, and nobody else', () => {
    const { sessions, open } = activities()
    const [old, young, other] = [open('a/0'), open('a/0'), open('b/0')]
    const ended = open('a/0')
    ended.ended(5)
    sessions.evict('a/0')
    expect([old, young].map(({ evicted: freed }) => freed.reason)).toEqual([
      SESSION_EVICTED,
      SESSION_EVICTED,
    ])
    expect([other, ended].map(({ evicted: freed }) => freed.aborted)).toEqual([false, false])
  })
})
