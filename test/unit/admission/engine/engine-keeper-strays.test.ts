import { expect, it } from 'vitest'
import { EngineKeeper, type KeeperEvent } from '../../../../src/admission/engine/engine-keeper.js'
import { SessionPulses } from '../../../../src/admission/engine/session-pulses.js'
import { OwnChains } from '../../../../src/admission/lane/own-chains.js'
import { loadKvModel } from '../../../../src/config/model-file.js'
import { MemoryEnginePulses } from '../../../fakes/memory-engine-pulses.js'
import { MemorySignsOfLife } from '../../../fakes/memory-signs-of-life.js'
import { enginePlan } from '../../planning/night-nights.js'
import { AdmissionBench, signal } from '../admission-bench.js'

const model = 'mistralai/Voxtral-Mini-4B-Realtime-2602'
const kv = loadKvModel({ cwd: process.cwd(), model, version: '0.32.0', blockTokens: 16 })

/** A worker of this name, with what it carries, and the keeper of the only engine. */
function keeping(bench: AdmissionBench, chains: OwnChains) {
  const desk = bench.worker('one').desks.gpu
  if (!desk) throw new Error('there is no such engine')
  const { clock } = bench
  const events: KeeperEvent[] = []
  const sessions = new SessionPulses(kv)
  const keeper = new EngineKeeper({
    ...{ desk, sessions, chains, worker: 'one', kneeLagMs: 2_000, deltaDelayMs: 0 },
    stallTimeoutMs: 3_000,
    pulses: new MemoryEnginePulses({ clock }),
    signs: new MemorySignsOfLife({ clock }),
    readGauges: async () => null,
    nowMs: () => clock.monotonicMs(),
    onEvent: (event) => events.push(event),
  })
  const round = async () => {
    await bench.pass(1_000)
    await bench.clock.run(desk.read({ signal }))
    await bench.clock.run(keeper.round({ signal }))
  }
  return { keeper, sessions, events, round }
}

it('takes out what our own process has lost, seen twice, and leaves what it carries', async () => {
  const bench = new AdmissionBench({ gpu: enginePlan('elastic') })
  const chains = new OwnChains()
  chains.add({ chainId: 'carried/0', isOver: false, isAt: (engine) => engine === 'gpu' })
  const { events, round } = keeping(bench, chains)
  for (const id of ['carried/0', 'lost/0']) {
    await bench.put('gpu', { ...bench.foreign(id), worker: 'one' })
  }
  const ids = async () => (await bench.read('gpu')).chains.map(({ id }) => id)
  await round()
  expect(await ids()).toEqual(['carried/0', 'lost/0'])
  await round()
  await round()
  expect(await ids()).toEqual(['carried/0'])
  expect(events).toEqual([{ kind: 'strays_taken_out', chains: 1 }])
})

it('judges no engine while the store is away: each session minds itself', async () => {
  const bench = new AdmissionBench({ gpu: enginePlan('elastic') })
  const { keeper, sessions, round } = keeping(bench, new OwnChains())
  const pulse = sessions.open('a/0', bench.clock.monotonicMs())
  for (let frame = 0; frame < 20; frame += 1) pulse.frameSent(bench.clock.monotonicMs())
  for (let second = 0; second < 3; second += 1) await round()
  expect(keeper.isSilent).toBe(true)
  await bench.pass(5_000)
  expect(keeper.isSilent).toBe(false)
})
