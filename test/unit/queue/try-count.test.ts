import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  countBegun,
  countFailed,
  countTold,
  NO_TRIES,
  type TryCount,
} from '../../../src/queue/try-count.js'

describe('tries since progress', () => {
  it('counts what fails, and begins at one again when audio was made safe in between', () => {
    let count = countFailed(NO_TRIES, 0)
    count = countFailed(count, 0)
    expect(count.failuresSinceProgress).toBe(2)
    count = countFailed(count, 60_000)
    expect(count).toMatchObject({ failuresSinceProgress: 1, checkpointedAudioMs: 60_000 })
    count = countFailed(count, 60_000)
    expect(count.failuresSinceProgress).toBe(2)
  })

  it('counts each lost worker once, though the count of the queue never falls', () => {
    let count = countBegun(NO_TRIES, { stalls: 0, begun: null, checkpointedAudioMs: 0 })
    expect(count).toEqual(NO_TRIES)
    count = countBegun(count, { stalls: 2, begun: null, checkpointedAudioMs: 0 })
    count = countBegun(count, { stalls: 2, begun: null, checkpointedAudioMs: 0 })
    expect(count.takeovers).toBe(2)
    count = countBegun(count, { stalls: 3, begun: null, checkpointedAudioMs: 500 })
    expect(count).toMatchObject({ takeovers: 1, stallsSeen: 3 })
  })

  it('blames no job that only waited for room while its worker was lost', () => {
    // Six workers in a row, as a chaos run killed them: two of them had given it sessions.
    let count = NO_TRIES
    const begunByStall = [0, 1, 1, 2, 2, 2]
    for (const [index, begun] of begunByStall.entries()) {
      count = countBegun(count, { stalls: index + 1, begun, checkpointedAudioMs: 0 })
    }
    expect(count).toMatchObject({ takeovers: 2, stallsSeen: 6 })
    // The third try at work was handed back; the one after it only waited.
    count = countBegun(countTold(count, 3), { stalls: 7, begun: 3, checkpointedAudioMs: 0 })
    expect(count.takeovers).toBe(2)
  })

  it('takes no fall for progress: what was safe once and is lost was not won again', () => {
    const count = countFailed(countFailed(NO_TRIES, 60_000), 0)
    expect(count).toMatchObject({ failuresSinceProgress: 2, checkpointedAudioMs: 60_000 })
    expect(countFailed(count, 60_000).failuresSinceProgress).toBe(3)
  })

  it('ends every job that stands still, and none that goes on', () => {
    const step = fc.record({ growsMs: fc.nat(3), fails: fc.boolean(), stalls: fc.nat(2) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let count: TryCount = NO_TRIES
        let checkpointedAudioMs = 0
        let stalls = 0
        let [failures, lost] = [0, 0] // by the definition, told apart from how it is counted
        for (const { growsMs, fails, stalls: more } of steps) {
          checkpointedAudioMs += growsMs
          stalls += more
          if (growsMs > 0) [failures, lost] = [0, 0]
          lost += more
          count = countBegun(count, { stalls, begun: null, checkpointedAudioMs })
          if (fails) {
            failures += 1
            count = countFailed(count, checkpointedAudioMs)
          }
          expect([count.failuresSinceProgress, count.takeovers]).toEqual([failures, lost])
        }
      }),
    )
  })
})
