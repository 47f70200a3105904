import { describe, expect, it } from 'vitest'
import type { LedgerClient } from '../../../../src/admission/ledger/ledger-client.js'
import { enginePlan } from '../../planning/night-nights.js'
import { AdmissionBench } from '../admission-bench.js'

describe('legs on an engine that takes only so much audio in a session', () => {
  const plan = enginePlan('elastic')
  const lengths = (client: LedgerClient) => {
    const { floorFrames, ceilingFrames } = client.wholePlan(client.ledger, client.nowMs())
    return [floorFrames, ceilingFrames]
  }

  it('are no longer than that, and as long as before once it was examined anew', () => {
    const bench = new AdmissionBench({ gpu: plan })
    const client = bench.worker('one').clients.gpu as LedgerClient
    const before = lengths(client)
    const [floorFrames = 0, ceilingFrames = 0] = before
    expect(ceilingFrames).toBeGreaterThan(floorFrames + 2)
    client.limitLegs(ceilingFrames + 1)
    expect(lengths(client)).toEqual(before)
    client.limitLegs(floorFrames + 1)
    expect(lengths(client)).toEqual([floorFrames, floorFrames + 1])
    client.limitLegs(floorFrames - 1)
    expect(lengths(client)).toEqual([floorFrames, floorFrames + 1])
    client.setPlan(plan)
    expect(lengths(client)).toEqual(before)
  })
})
