import { describe, expect, it } from 'vitest'
import { chaosNight } from '../chaos/chaos-night.js'
import { nightReport } from '../chaos/night-report.js'

/** Printed with what fails; `npm run bench:chaos` is the same on the scale of a night. */
const SEED = 11
const FAULTS = 15
const NIGHT_MS_MAX = 420_000
/** And the end of everything that was started. */
const TEST_MS_MAX = 480_000

describe('a night with bad weather', () => {
  it(
    `loses and doubles no word (seed ${SEED})`,
    async () => {
      const night = await chaosNight({
        ...{ seed: SEED, pace: 4, faults: FAULTS, stormMs: 20_000 },
        ...{ severity: 0.3, hasSilentStorage: false, waitsForDead: false },
        recordings: { count: 6, secondsMin: 60, secondsMax: 90 },
        ...{ calmMs: 150_000, blocks: 120, logFolder: null },
        settings: {
          legs: { floorMs: 5_000, ceilingMs: 30_000 },
          queue: { lockDurationMs: 3_000, stalledIntervalMs: 1_000, backoffMs: 500 },
        },
        onNews: () => {},
        signal: AbortSignal.timeout(NIGHT_MS_MAX),
      })
      const { wrong, figures } = nightReport(night)
      expect({ seed: SEED, wrong }).toEqual({ seed: SEED, wrong: [] })
      expect(figures.faults_struck).toBe(FAULTS)
    },
    TEST_MS_MAX,
  )
})
