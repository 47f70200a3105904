import { describe, expect, it } from 'vitest'
import { tailSteps } from '../../../../src/model/step-law.js'
import { StallWatch } from '../../../../src/planning/sweep/stall-watch.js'

/** Sends so many frames of 80 ms to a session, the last at `nowMs`. */
function feed(watch: StallWatch, session: number, frames: number, nowMs: number): void {
  for (let index = 0; index < frames; index += 1) watch.frameSent(session, nowMs)
}

describe('StallWatch', () => {
  it('counts from the frame that made the first delta due', () => {
    const watch = new StallWatch()
    feed(watch, 0, 7, 500)
    expect(watch.stalledMs(9_000)).toBe(0)
    feed(watch, 0, 1, 600)
    expect(watch.stalledMs(9_000)).toBe(8_400)
    expect(watch.answered).toBe(false)
  })

  it('stands still only when no session gets anything', () => {
    const watch = new StallWatch()
    feed(watch, 0, 20, 1_000)
    feed(watch, 1, 20, 1_000)
    watch.deltaReceived(1, 5_000)
    expect(watch.answered).toBe(true)
    expect(watch.stalledMs(6_000)).toBe(1_000)
  })

  it('forgets a standstill when nothing is due any more', () => {
    const watch = new StallWatch()
    feed(watch, 0, 8, 1_000)
    watch.deltaReceived(0, 1_010)
    expect(watch.stalledMs(60_000)).toBe(0)
    feed(watch, 0, 1, 61_000)
    expect(watch.stalledMs(62_000)).toBe(1_000)
  })

  it('waits for the tail, too, and not for a session that is over', () => {
    const watch = new StallWatch()
    feed(watch, 0, 10, 1_000)
    for (let count = 0; count < 3; count += 1) watch.deltaReceived(0, 1_010)
    watch.audioEnded(0, 2_000)
    expect(watch.stalledMs(4_000)).toBe(2_000)
    for (let count = 0; count < tailSteps(); count += 1) watch.deltaReceived(0, 4_000)
    expect(watch.stalledMs(9_000)).toBe(0)
    feed(watch, 1, 10, 9_000)
    watch.ended(1)
    expect(watch.stalledMs(99_000)).toBe(0)
  })
})
