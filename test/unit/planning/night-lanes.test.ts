import { describe, expect, it } from 'vitest'
import { LaneMeasurements, lanesByMean, measureLanes } from '../../../src/planning/night-lanes.js'
import { enginePlan, recording } from './night-nights.js'

const options = { signal: new AbortController().signal }
const crowd = (count: number) =>
  Array.from({ length: count }, (_, at) => recording(`${at}`, 1_200, { seed: at }))

describe('lanesByMean', () => {
  it('grows with the blocks, and is never more than the lanes that are allowed', () => {
    const small = lanesByMean(enginePlan('elastic', { kvBlocks: 144 }), 1) ?? 0
    const large = lanesByMean(enginePlan('elastic', { kvBlocks: 288 }), 1) ?? 0
    expect(small).toBeGreaterThan(0)
    expect(Math.abs(large - 2 * small)).toBeLessThanOrEqual(1)
    expect(lanesByMean(enginePlan('elastic', { lanes: 3 }), 1)).toBe(3)
  })

  it('has no end where nothing is short', () => {
    const kvBlocks = Number.POSITIVE_INFINITY
    expect(lanesByMean(enginePlan('elastic', { kvBlocks }), 1)).toBeNull()
  })
})

describe('measureLanes', () => {
  it('finds nearly as many lanes as averages allow, and never more', async () => {
    const plan = enginePlan('elastic', { kvBlocks: 100 })
    const most = lanesByMean(plan, 1) ?? 0
    const lanes = await measureLanes({ plan, engines: 1, jobs: crowd(60) }, options)
    expect(lanes).toBeLessThanOrEqual(most)
    expect(lanes).toBeGreaterThan(0.6 * most)
  })

  it('says nothing where nobody has to wait', async () => {
    const plan = enginePlan('elastic', { kvBlocks: 288 })
    expect(await measureLanes({ plan, engines: 1, jobs: crowd(3) }, options)).toBeNull()
  })
})

describe('LaneMeasurements', () => {
  it('asks once for each kind of engine, and not at all for other policies', async () => {
    const measured = new LaneMeasurements()
    const plan = enginePlan('elastic', { kvBlocks: 60 })
    const first = await measured.lanesOf({ plan, engines: 1, jobs: crowd(20) }, options)
    expect(first).not.toBeNull()
    // Nobody would wait among none: this answer is the one that is known.
    const same = { ...plan, limits: { ...plan.limits } }
    expect(await measured.lanesOf({ plan: same, engines: 1, jobs: [] }, options)).toBe(first)
    const fixed = enginePlan('fixed', { lanes: 2 })
    expect(await measured.lanesOf({ plan: fixed, engines: 1, jobs: crowd(20) }, options)).toBeNull()
  })
})
