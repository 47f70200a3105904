import { describe, expect, it } from 'vitest'
import type { EngineDesk } from '../../../../src/admission/ledger/engine-desk.js'
import { enginePlan } from '../../planning/night-nights.js'
import { AdmissionBench } from '../admission-bench.js'

describe('legs on an engine that takes only so much audio in a session', () => {
  const plan = enginePlan('elastic')
  const lengths = (desk: EngineDesk) => {
    const { floorFrames, ceilingFrames } = desk.planOf(desk.ledger, desk.nowMs())
    return [floorFrames, ceilingFrames]
  }

  it('are no longer than that, and as long as before once it was examined anew', () => {
    const bench = new AdmissionBench({ gpu: plan })
    const desk = bench.worker('one').desks.gpu as EngineDesk
    const before = lengths(desk)
    const [floorFrames = 0, ceilingFrames = 0] = before
    expect(ceilingFrames).toBeGreaterThan(floorFrames + 2)
    desk.limitLegs(ceilingFrames + 1)
    expect(lengths(desk)).toEqual(before)
    desk.limitLegs(floorFrames + 1)
    expect(lengths(desk)).toEqual([floorFrames, floorFrames + 1])
    desk.limitLegs(floorFrames - 1)
    expect(lengths(desk)).toEqual([floorFrames, floorFrames + 1])
    desk.setPlan(plan)
    expect(lengths(desk)).toEqual(before)
  })
})
