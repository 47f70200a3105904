import { describe, expect, it } from 'vitest'
import { LegLease } from '../../../../src/admission/lane/leg-lease.js'
import { runningRequest } from '../../../../src/admission/lane/running-request.js'
import type { PlannedLeg } from '../../../../src/admission/ledger/ledger.js'
import { LedgerClient } from '../../../../src/admission/ledger/ledger-client.js'
import { MemoryLedgerStore } from '../../../../src/admission/store/memory-ledger-store.js'
import { seededRandom } from '../../../../src/kernel/seeded-random.js'
import { StepClock } from '../../../fakes/step-clock.js'
import { legOf, pausesEvery, planOf } from '../plans.js'

const { signal } = new AbortController()
const plan = planOf()
const cuts = pausesEvery(100, 4_000)
const FROM_FRAME = 1_000
const START_MS = 50_000
const FRAMES = 900

/** A leg from frame 1000 of its recording on, due at 50 s of both clocks. */
function running(pace: number, changes: Partial<PlannedLeg> = {}): LegLease {
  const clock = new StepClock()
  const store = new MemoryLedgerStore({ clock })
  const random = seededRandom(1)
  const client = new LedgerClient({ engine: 'e', store, clock, random, plan, liveShare: 0 })
  const times = { openMs: START_MS - 1_000, startMs: START_MS }
  const endFrame = FROM_FRAME + FRAMES
  const owner = { ask: async () => {}, exists: () => true, closed: async () => {} }
  return new LegLease({
    ...{ chainId: 'a/0', client, plan, owner, pace },
    leg: legOf({ index: 7, ...times, frames: FRAMES, ...changes }),
    segment: { fromFrame: FROM_FRAME, endFrame, cut: 'pause', ...times },
  })
}

function requestOf(lease: LegLease, pace: number, nowMs: number) {
  const lane = { chainId: 'a/0', pace, cuts, earliestEndFrame: 0, firstIndex: 0, held: [] }
  return runningRequest(lane, lease, { plan, nowMs, clockMs: nowMs })
}

describe('a lane that asks for better cuts while a leg runs', () => {
  it('asks from that leg on, as it stands in the ledger', () => {
    const lease = running(1)
    const request = requestOf(lease, 1, START_MS)
    expect(request).toMatchObject({
      ...{ chainId: 'a/0', pace: 1, cuts, firstIndex: 7, held: [] },
      first: { openMs: START_MS - 1_000, startMs: START_MS, fromFrame: FROM_FRAME },
    })
    expect(request.running).toBe(lease.entry)
  })

  it.each([
    [1, 0, 1_300],
    [1, 20_000, 21_300],
    [2, 20_000, 21_300],
    // Nothing was sent before the first frame is due.
    [1, -700, 1_300],
  ])(
    'at pace %s, %s ms into the leg, leaves its first %s ms as they are',
    (pace, atMs, fixedMs) => {
      const { earliestEndFrame } = requestOf(running(pace), pace, START_MS + atMs)
      // Opening the next session takes a second, deciding so 0.3 s.
      expect(earliestEndFrame).toBe(FROM_FRAME + Math.ceil((fixedMs * pace) / 80))
    },
  )

  it('without a pace leaves what is sent already, however far that is', async () => {
    const lease = running(0)
    await lease.permit(500, START_MS + 2_000, { signal })
    // The frame that is on its way, and the one at which the sender can be stopped.
    expect(requestOf(lease, 0, START_MS + 2_000).earliestEndFrame).toBe(FROM_FRAME + 502)
  })

  it('is where its sender truly is', async () => {
    const lease = running(1)
    await lease.permit(100, START_MS + 8_000 + 640, { signal })
    expect(requestOf(lease, 1, START_MS + 20_000).earliestEndFrame).toBe(
      FROM_FRAME + Math.ceil((20_000 - 640 + 1_300) / 80),
    )
    const late = requestOf(running(1, { behindMs: 500 }), 1, START_MS + 20_000)
    expect(late.first.startMs).toBe(START_MS + 500)
    const stopped = requestOf(running(1, { stoppedFrame: 100 }), 1, START_MS + 20_000)
    expect(stopped.first.startMs).toBe(START_MS + 12_000)
  })
})
