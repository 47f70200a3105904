import { describe, expect, it } from 'vitest'
import { nightCosts } from '../../../src/planning/plan-costs.js'

const HOUR_MS = 3_600_000
const night = { startMs: HOUR_MS, finishMs: 5 * HOUR_MS }

describe('nightCosts', () => {
  it('counts every engine until the night is over', () => {
    const costs = nightCosts(night, { audioMs: 100 * HOUR_MS, pricePerHour: [2, 3] })
    expect(costs).toEqual({ gpuHours: 8, cost: 20, costPerAudioHour: 0.2 })
  })

  it('knows no cost where a price is missing, and none of an hour where there is no audio', () => {
    const unknown = nightCosts(night, { audioMs: HOUR_MS, pricePerHour: [2, null] })
    expect(unknown).toEqual({ gpuHours: 8, cost: null, costPerAudioHour: null })
    const silent = nightCosts(night, { audioMs: 0, pricePerHour: [0] })
    expect(silent).toEqual({ gpuHours: 4, cost: 0, costPerAudioHour: null })
  })
})
