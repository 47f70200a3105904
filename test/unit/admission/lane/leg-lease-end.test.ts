import { describe, expect, it } from 'vitest'
import { LegLease } from '../../../../src/admission/lane/leg-lease.js'
import { LedgerClient } from '../../../../src/admission/ledger/ledger-client.js'
import type { EnginePlan } from '../../../../src/admission/load/engine-plan.js'
import { MemoryLedgerStore } from '../../../../src/admission/store/memory-ledger-store.js'
import { seededRandom } from '../../../../src/kernel/seeded-random.js'
import { SimulatedClock } from '../../../../src/kernel/simulated-clock.js'
import { LegCurve } from '../../../../src/model/leg-curve.js'

const { signal } = new AbortController()
const FRAMES = 150

const plan: EnginePlan = {
  policy: 'fixed',
  limits: { kvBlocks: 39, stepMs: Infinity, sessions: Infinity, lanes: Infinity },
  curve: new LegCurve({
    blockTokens: 32,
    encoderWindowTokens: 189,
    decoderWindowTokens: 8192,
    decoderBlockRatio: 8,
  }),
  stepModel: null,
  floorFrames: FRAMES,
  ceilingFrames: 10 * FRAMES,
  openAheadMs: 100,
  tailMs: 1_360,
}

function leg(frames: number) {
  const entry = { index: 0, open: true, openMs: 0, startMs: 0, frames }
  return {
    leg: { ...entry, behindMs: 0, stoppedFrame: null },
    segment: { fromFrame: 0, endFrame: frames, cut: 'pause', openMs: 0, startMs: 0 } as const,
  }
}

function lease(): LegLease {
  const clock = new SimulatedClock()
  const store = new MemoryLedgerStore({ clock })
  const random = seededRandom(1)
  const client = new LedgerClient({ engine: 'e', store, clock, random, plan, liveShare: 0 })
  const owner = { ask: async () => {}, exists: () => true, closed: async () => {} }
  return new LegLease({ ...leg(FRAMES), chainId: 'j/0', client, plan, owner, pace: 1 })
}

/** Asks for a frame as a sender does. @returns whether it was told to wait, and until when */
function permit(of: LegLease, frame: number) {
  const asked = of.permit(frame, frame * 80, { signal })
  const state = { waits: asked !== undefined }
  const done = Promise.resolve(asked).then(() => {
    state.waits = false
  })
  return { state, done }
}

// issue 4: a leg's end was moved on after its sender had come to the old one, and the audio between
// the two ends was carried by nobody.
describe('the end of a leg', () => {
  it('may be moved until the last frame is asked for, and not after it', () => {
    const running = lease()
    expect(permit(running, FRAMES - 2).state.waits).toBe(false)
    expect(running.isSpent).toBe(false)
    expect(permit(running, FRAMES - 1).state.waits).toBe(false)
    expect(running.isSpent).toBe(true)
  })

  it('is not sent while it is being moved, wherever that begins to matter for others', async () => {
    const running = lease()
    running.holdAt(2 * FRAMES)
    expect(permit(running, FRAMES - 2).state.waits).toBe(false)
    const last = permit(running, FRAMES - 1)
    expect(last.state.waits).toBe(true)
    expect(running.isSpent).toBe(false)
    running.releaseHold()
    await last.done
    expect(running.isSpent).toBe(true)
  })

  it('moves on with the sender waiting before it', async () => {
    const running = lease()
    running.holdAt(2 * FRAMES)
    const last = permit(running, FRAMES - 1)
    const moved = leg(2 * FRAMES)
    running.moved(moved.leg, moved.segment)
    running.releaseHold()
    await last.done
    expect(running.frames).toBe(2 * FRAMES)
    expect(running.isSpent).toBe(false)
  })
})
