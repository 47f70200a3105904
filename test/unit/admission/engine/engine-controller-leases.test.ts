import { beforeEach, describe, expect, it } from 'vitest'
import { ControllerBench, ENGINE, QUIET, twoLanes } from '../controller-bench.js'

const signal = new AbortController().signal
let bench: ControllerBench

beforeEach(() => {
  bench = new ControllerBench()
})

describe('the leases of another worker', () => {
  const ids = async () => (await bench.ledger()).chains.map(({ id }) => id)

  beforeEach(async () => {
    await bench.store.write(ENGINE, twoLanes(bench.clock.wallMs()), { revision: 0, signal })
  })

  it('are its own while it lives, whatever the engine says', async () => {
    const one = bench.controllerOf('one')
    bench.gauges = { ...QUIET, kvBlocksHeld: null }
    for (let second = 0; second < 20; second += 5) {
      await bench.heartbeats.beat('other', { signal })
      await bench.rounds(5, one)
    }
    expect([await ids(), one.events]).toEqual([['old/0', 'young/0'], []])
  })

  it('are taken back when its sign of life has expired', async () => {
    const one = bench.controllerOf('one')
    await bench.heartbeats.beat('other', { signal })
    await bench.rounds(44, one)
    expect(await ids()).toEqual(['old/0', 'young/0'])
    await bench.rounds(1, one)
    expect(await ids()).toEqual(['old/0'])
    expect(one.events).toEqual([{ kind: 'workers_reclaimed', workers: ['other'] }])
  })

  it('are taken back sooner when the engine has no more connections than live ones', async () => {
    const one = bench.controllerOf('one')
    await bench.heartbeats.beat('other', { signal })
    one.open('old/0')
    bench.gauges = { ...QUIET, kvBlocksHeld: null, websocketConnections: 2 }
    await bench.rounds(15, one)
    expect(await ids()).toEqual(['old/0', 'young/0'])
    bench.gauges = { ...QUIET, kvBlocksHeld: null, websocketConnections: 1 }
    await bench.rounds(1, one)
    // What its own sessions were at that moment is known with its next sign.
    expect(await ids()).toEqual(['old/0', 'young/0'])
    await bench.rounds(1, one)
    expect(await ids()).toEqual(['old/0'])
    expect(one.events).toEqual([{ kind: 'workers_reclaimed', workers: ['other'] }])
  })

  // issue 5: a session that has just ended was still counted as its worker's, and the connection
  // of a frozen one taken for it: others had its blocks while it still held them.
  it('are not taken back where a session that has just ended makes up for theirs', async () => {
    const one = bench.controllerOf('one')
    const third = bench.controllerOf('third')
    await bench.heartbeats.beat('other', { signal })
    one.open('old/0')
    for (let second = 0; second < 40; second += 2) {
      for (const living of ['one', 'third']) await bench.heartbeats.beat(living, { signal })
      // Its connection stands beside `old` and that of `other`, which is frozen.
      const passing = third.open('passing/0')
      bench.gauges = { ...QUIET, kvBlocksHeld: null, websocketConnections: 3 }
      await bench.rounds(1, third)
      passing.end()
      bench.gauges = { ...QUIET, kvBlocksHeld: null, websocketConnections: 2 }
      await bench.rounds(1, one)
    }
    expect([await ids(), one.events, third.events]).toEqual([['old/0', 'young/0'], [], []])
  })

  it('are not taken back by what the engine said before it stopped answering', async () => {
    const one = bench.controllerOf('one')
    bench.gauges = { ...QUIET, kvBlocksHeld: null, websocketConnections: 0 }
    await bench.heartbeats.beat('other', { signal })
    await bench.rounds(4, one)
    bench.gauges = null
    await bench.rounds(20, one)
    expect([await ids(), one.events]).toEqual([['old/0', 'young/0'], []])
  })

  it('are not taken back by a quick look: it may open a session just now', async () => {
    const one = bench.controllerOf('one')
    await bench.heartbeats.beat('other', { signal })
    bench.gauges = { ...QUIET, kvBlocksHeld: null, websocketConnections: 0 }
    await bench.rounds(10, one)
    expect(await ids()).toEqual(['old/0', 'young/0'])
    await bench.rounds(1, one)
    expect(await ids()).toEqual(['old/0'])
  })

  it('are nobody of ours where they are our own, sign or no sign', async () => {
    const [one, other] = [bench.controllerOf('one'), bench.controllerOf('other')]
    await bench.heartbeats.deregister('one', { signal })
    await bench.rounds(2, one)
    expect(await ids()).toEqual(['old/0'])
    await bench.rounds(1, other)
    expect(await ids()).toEqual([])
  })
})
