import { describe, expect, it } from 'vitest'
import { runLiveNight } from './live-night.js'

/** A share of what `npm run sim -- --live` runs; always the same seeds, for a gate. */
const SEEDS = [1, 2]

describe('live sessions beside recordings that fill the engine', () => {
  for (const seed of SEEDS) {
    it(`begin at once, take nothing from anybody, and nothing is lost, seed ${seed}`, async () => {
      const { run, result, faults, sessions, seats, waitsMs } = await runLiveNight(seed)
      expect({ seed, faults }).toEqual({ seed, faults: [] })
      // While the night had more recordings than room: else nothing was shown.
      const recordings = run.jobs.filter(({ live }) => !live)
      expect(recordings.length).toBeGreaterThan(seats.batch)
      expect(result.finishedMs.size + result.refused.size).toBe(run.jobs.length)
      expect(sessions).toBeGreaterThan(seats.live)
      expect(waitsMs).toEqual(waitsMs.map(() => 0))
    })
  }
})
