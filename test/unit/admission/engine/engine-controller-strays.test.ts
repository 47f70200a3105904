import { expect, it } from 'vitest'
import {
  type ControllerEvent,
  EngineController,
} from '../../../../src/admission/engine/engine-controller.js'
import { SessionTracker } from '../../../../src/admission/engine/session-activity.js'
import { LocalChains } from '../../../../src/admission/lane/local-chains.js'
import { loadKvModel } from '../../../../src/config/data/model-file.js'
import { MemoryEngineActivity } from '../../../fakes/memory-engine-activity.js'
import { MemoryWorkerHeartbeats } from '../../../fakes/memory-worker-heartbeats.js'
import { enginePlan } from '../../planning/night-nights.js'
import { AdmissionBench, signal } from '../admission-bench.js'

const model = 'mistralai/Voxtral-Mini-4B-Realtime-2602'
const kv = loadKvModel({ cwd: process.cwd(), model, version: '0.32.0', blockTokens: 16 })

/** A worker of this name, with what it carries, and the keeper of the only engine. */
function keeping(bench: AdmissionBench, chains: LocalChains) {
  const client = bench.worker('one').clients.gpu
  if (!client) throw new Error('there is no such engine')
  const { clock } = bench
  const events: ControllerEvent[] = []
  const sessions = new SessionTracker(kv)
  const controller = new EngineController({
    ...{ client, sessions, chains, worker: 'one', kneeLagMs: 2_000, deltaDelayMs: 0 },
    stallTimeoutMs: 3_000,
    activities: new MemoryEngineActivity({ clock }),
    heartbeats: new MemoryWorkerHeartbeats({ clock }),
    readGauges: async () => null,
    nowMs: () => clock.monotonicMs(),
    onEvent: (event) => events.push(event),
  })
  const round = async () => {
    await bench.pass(1_000)
    await bench.clock.run(client.read({ signal }))
    await bench.clock.run(controller.tick({ signal }))
  }
  return { controller, sessions, events, round }
}

it('takes out what our own process has lost, seen twice, and leaves what it carries', async () => {
  const bench = new AdmissionBench({ gpu: enginePlan('elastic') })
  const chains = new LocalChains()
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
  expect(events).toEqual([{ kind: 'orphaned_chains_removed', chains: 1 }])
})

it('judges no engine while the store is away: each session minds itself', async () => {
  const bench = new AdmissionBench({ gpu: enginePlan('elastic') })
  const { controller, sessions, round } = keeping(bench, new LocalChains())
  const activity = sessions.open('a/0', bench.clock.monotonicMs())
  for (let frame = 0; frame < 20; frame += 1) activity.frameSent(bench.clock.monotonicMs())
  for (let second = 0; second < 3; second += 1) await round()
  expect(controller.isSilent).toBe(true)
  await bench.pass(5_000)
  expect(controller.isSilent).toBe(false)
})
