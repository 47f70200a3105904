import { describe, expect, it } from 'vitest'
import { GrowingCuts } from '../../../../src/admission/legs/growing-cuts.js'
import { enginePlan, recording } from '../../planning/night-nights.js'
import { AdmissionBench, signal } from '../admission-bench.js'

const plan = enginePlan('elastic', { kvBlocks: 600, lanes: Number.POSITIVE_INFINITY })

/** An engine that keeps a part for live sessions, and one worker. */
function openShare(liveShare: number) {
  const bench = new AdmissionBench({ gpu: plan }, { liveShare })
  return { bench, worker: bench.worker('one') }
}

function live(jobId: string) {
  const cuts = new GrowingCuts({ quietEveryFrames: 50, overlapFrames: 25, aheadFrames: 8_000 })
  const lanes = [{ pace: 1, fromFrame: 0, cuts, remainingMs: 0 }]
  return { demand: { ...recording(jobId, 60), live: true, lanes }, cuts }
}

/** Admits jobs until one has to wait. @returns how many there were */
async function fill(
  { worker }: ReturnType<typeof openShare>,
  demand: (jobId: string) => ReturnType<typeof recording>,
) {
  for (let count = 0; ; count += 1) {
    const admission = await worker.admit(demand(`${demand.name}-${count}`))
    if (admission.kind === 'waiting') return { count, admission }
  }
}

const long = (jobId: string) => recording(jobId, 3_600)
const speaks = (jobId: string) => live(jobId).demand

describe('a share for live sessions', () => {
  it('is free however many recordings wait, and nothing of it is for a recording', async () => {
    const parts = openShare(0.4)
    const { count: recordings } = await fill(parts, long)
    const { count: sessions, admission } = await fill(parts, speaks)
    expect(sessions).toBe(parts.worker.clients.gpu?.lanesMax({ live: true }))
    expect(sessions).toBeGreaterThan(2)
    expect(admission).toMatchObject({ kind: 'waiting', reason: 'lanes', retryAfterMs: 1_000 })
    const whole = openShare(0)
    expect((await fill(whole, long)).count).toBeGreaterThan(recordings)
  })

  it('is not asked for in the queue of the recordings', async () => {
    const parts = openShare(0.4)
    await fill(parts, long)
    await fill(parts, speaks)
    const waiting = await parts.bench.waiting.list({ signal })
    expect(waiting.map(({ jobId }) => jobId)).toEqual([expect.stringMatching(/^long-/)])
  })

  it('takes one more once one has gone', async () => {
    const parts = openShare(0.4)
    const [chain] = await parts.worker.lanesOf(speaks('first'))
    const { count } = await fill(parts, speaks)
    await chain?.end({ signal })
    expect(await parts.worker.admit(speaks('next'))).toMatchObject({ kind: 'admitted' })
    expect(await parts.worker.admit(speaks('one more'))).toMatchObject({ kind: 'waiting' })
    expect(count).toBeGreaterThan(1)
  })

  it('is no place where one session alone would not fit, and that is said', async () => {
    const admission = openShare(0.01).worker.admit(speaks('live'))
    await expect(admission).rejects.toThrow(/admission\.liveShare/)
  })

  it('ends a lane at its true end as soon as that is known', async () => {
    const { bench, worker } = openShare(0.4)
    const { demand, cuts } = live('live')
    const [chain] = await worker.lanesOf(demand)
    if (!chain) throw new Error('no lane')
    const lease = await bench.clock.run(chain.next({ signal }))
    if (!lease) throw new Error('no lease')
    expect(lease.frames).toBeGreaterThan(100)
    const over = chain.next({ signal })
    await bench.pass(2_000)
    cuts.complete(60)
    await bench.pass(100)
    expect(lease.planned).toMatchObject({ endFrame: 60, cut: 'end' })
    expect(await bench.clock.run(over)).toBeNull()
  })
})
