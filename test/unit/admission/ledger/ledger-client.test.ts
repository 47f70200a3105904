import { describe, expect, it } from 'vitest'
import type { LedgerReading, LedgerStore } from '../../../../src/admission/index.js'
import { EMPTY_LEDGER, type Ledger } from '../../../../src/admission/ledger/ledger.js'
import { LedgerClient } from '../../../../src/admission/ledger/ledger-client.js'
import { StopRequested, UpstreamError } from '../../../../src/kernel/errors.js'
import { seededRandom } from '../../../../src/kernel/seeded-random.js'
import { SimulatedClock } from '../../../../src/kernel/simulated-clock.js'
import { enginePlan } from '../../planning/night-nights.js'
import { AdmissionBench, signal } from '../admission-bench.js'

function openClient() {
  const bench = new AdmissionBench({ gpu: enginePlan('elastic') })
  const client = bench.worker('one').clients.gpu as LedgerClient
  const knee = async () => (await bench.read('gpu')).limit.knee
  return { bench, client, knee }
}

function withKnee(ledger: Ledger, knee: number): Ledger {
  return { ...ledger, limit: { ...ledger.limit, knee } }
}

/** One more than stands there. */
const counted = (ledger: Ledger) => {
  const knee = (ledger.limit.knee ?? 0) + 1
  return { ledger: withKnee(ledger, knee), value: knee }
}

describe('a change of a ledger', () => {
  it('is tried again on what stands there when somebody else was quicker', async () => {
    const { bench, client, knee } = openClient()
    let quicker = 3
    bench.beforeWrite = async (engine) => {
      quicker -= 1
      if (quicker >= 0) await bench.write(engine, (ledger) => counted(ledger).ledger)
    }
    const seen: (number | null)[] = []
    const change = client.change({ signal }, (ledger) => {
      seen.push(ledger.limit.knee)
      return counted(ledger)
    })
    expect(await bench.clock.run(change)).toBe(4)
    expect([seen, await knee(), client.ledger.limit.knee]).toEqual([[null, 1, 2, 3], 4, 4])
  })

  it('is compared with what it was decided on, also where another reading came with it', async () => {
    let stands: LedgerReading = { ledger: EMPTY_LEDGER, revision: 1, nowMs: 0 }
    const answers: (() => void)[] = []
    let isSlow = true
    const store: LedgerStore = {
      read: () => {
        const reading = stands
        if (!isSlow) return Promise.resolve(reading)
        return new Promise((resolve) => answers.push(() => resolve(reading)))
      },
      write: async (_, ledger, { revision }) => {
        if (revision !== stands.revision) return null
        stands = { ledger, revision: revision + 1, nowMs: 0 }
        return stands.revision
      },
    }
    const clock = new SimulatedClock(0)
    const common = { engine: 'gpu', store, clock, random: seededRandom(1), liveShare: 0 }
    const client = new LedgerClient({ ...common, plan: enginePlan('elastic') })
    const change = client.change({ signal }, counted)
    await Promise.resolve()
    await Promise.resolve()
    expect(answers).toHaveLength(1)
    // Somebody else writes, and this process looks at the ledger for another reason.
    stands = { ledger: withKnee(EMPTY_LEDGER, 7), revision: 2, nowMs: 0 }
    const look = client.read({ signal })
    isSlow = false
    for (const answer of answers) answer()
    await look
    expect(await clock.run(change)).toBe(8)
    expect(stands.ledger.limit.knee).toBe(8)
  })

  it('is given up after 50 tries that others came before', async () => {
    const { bench, client } = openClient()
    const sinceMs = bench.clock.monotonicMs()
    let tries = 0
    bench.beforeWrite = async (engine) => {
      tries += 1
      await bench.write(engine, (ledger) => counted(ledger).ledger)
    }
    const settled: number[] = []
    const change = client.change({ signal }, counted, (value) => settled.push(value))
    const failed = await bench.clock.run(change.catch((error) => error))
    expect(failed).toBeInstanceOf(UpstreamError)
    expect(failed).toMatchObject({ code: 'queue_unavailable', effect: 'none' })
    expect(failed.message).toBe('The ledger of gpu changed 50 times while one change was tried.')
    expect([tries, settled]).toEqual([50, []])
    // Each of them waited a little, by chance.
    const waitedMs = bench.clock.monotonicMs() - sinceMs
    expect(waitedMs).toBeGreaterThan(500)
    expect(waitedMs).toBeLessThan(2_000)
  })

  it('comes in its turn, after those that this process has begun before', async () => {
    const { bench, client, knee } = openClient()
    const order: string[] = []
    const changes = ['a', 'b', 'c'].map((name) =>
      client.change(
        { signal },
        (ledger) => {
          order.push(`${name} sees ${ledger.limit.knee}`)
          return counted(ledger)
        },
        (value) => order.push(`${name} takes over ${value}`),
      ),
    )
    expect(await bench.clock.run(Promise.all(changes))).toEqual([1, 2, 3])
    expect(order).toEqual([
      ...['a sees null', 'a takes over 1'],
      ...['b sees 1', 'b takes over 2'],
      ...['c sees 2', 'c takes over 3'],
    ])
    expect(await knee()).toBe(3)
  })

  it('that leaves everything as it is writes nothing, and tells what it found', async () => {
    const { bench, client } = openClient()
    bench.beforeWrite = async () => {
      throw new Error('Nothing is to be written.')
    }
    const settled: string[] = []
    const step = () => ({ ledger: null, value: 'as it was' })
    expect(await client.change({ signal }, step, (value) => settled.push(value))).toBe('as it was')
    expect(settled).toEqual(['as it was'])
  })

  it('that fails lets the next one pass', async () => {
    const { bench, client } = openClient()
    const stop = new StopRequested('internal', 'Enough.')
    const failing = client.change({ signal: AbortSignal.abort(stop) }, counted)
    const next = client.change({ signal }, counted)
    await expect(failing).rejects.toBe(stop)
    expect(await bench.clock.run(next)).toBe(1)
  })
})

describe('the copy of a ledger', () => {
  it('is empty before the first read, and vouches for nobody', () => {
    const { client } = openClient()
    expect([client.ledger.chains, client.allOnTime]).toEqual([[], false])
  })

  it('vouches for two seconds that nobody is late', async () => {
    const { bench, client } = openClient()
    await client.read({ signal })
    await bench.pass(2_000)
    expect(client.allOnTime).toBe(true)
    await bench.pass(1)
    expect(client.allOnTime).toBe(false)
  })

  it('shows who is late, and who should have ended by its time', async () => {
    const { bench, client } = openClient()
    await bench.put('gpu', bench.foreign('overdue/0', { frames: 250, ageMs: 22_000 }))
    await client.read({ signal })
    expect(client.allOnTime).toBe(true)
    // 20 s of audio, the tail, and a second's grace.
    await bench.pass(361)
    expect(client.allOnTime).toBe(false)
  })
})

describe('what an engine can carry', () => {
  it('is what its figures say, less what was learned of it', async () => {
    const { bench, client } = openClient()
    await bench.write('gpu', ({ chains }) => ({
      chains,
      limit: {
        ...{ knee: 7, kneeMovedMs: 0, correctionBlocks: 8 },
        penalties: [{ lanes: 5, untilMs: bench.nowMs + 1_000 }],
      },
    }))
    const limits = async () => {
      const { kvBlocks, lanes } = client.wholePlan(
        await client.read({ signal }),
        client.nowMs(),
      ).limits
      return { kvBlocks, lanes }
    }
    expect(await limits()).toEqual({ kvBlocks: 280, lanes: 5 })
    await bench.pass(1_000)
    expect(await limits()).toEqual({ kvBlocks: 280, lanes: 7 })
    client.setPlan(enginePlan('elastic', { kvBlocks: 100, lanes: 6 }))
    expect(await limits()).toEqual({ kvBlocks: 92, lanes: 6 })
    expect(client.lanesMax({ live: false })).toBe(6)
  })

  it('lets a lease take a block where all that is held fits, or all can still end', async () => {
    const { bench, client } = openClient()
    const { curve } = enginePlan('elastic')
    const frames = 2_000
    for (const id of ['one/0', 'other/0']) await bench.put('gpu', bench.foreign(id, { frames }))
    const [{ frame } = { frame: 0 }] = curve.steps
    const told = async (kvBlocks: number) => {
      client.setPlan(enginePlan('elastic', { kvBlocks }))
      const ledger = await client.read({ signal })
      const may = client.mayTake(ledger, bench.nowMs, { chainId: 'one/0', index: 0, frame })
      return { holds: client.leasesFit(ledger, bench.nowMs, { live: false }), may }
    }
    const peak = curve.peakBlocks(frames)
    expect(await told(2 * peak)).toEqual({ holds: true, may: true })
    expect(await told(2 * peak - 1)).toEqual({ holds: false, may: true })
    // The one can go on to its end while the other one waits where it is, and no less.
    expect(await told(peak + curve.openBlocks)).toEqual({ holds: false, may: true })
    expect(await told(peak + curve.openBlocks - 1)).toEqual({ holds: false, may: false })
  })
})
