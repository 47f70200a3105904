import { EngineKeeper } from '../../../src/admission/engine/engine-keeper.js'
import { SessionPulses } from '../../../src/admission/engine/session-pulses.js'
import type { LegLease } from '../../../src/admission/lane/leg-lease.js'
import type { OwnChains } from '../../../src/admission/lane/own-chains.js'
import { EngineDesk } from '../../../src/admission/ledger/engine-desk.js'
import { SILENT_OUT_MS } from '../../../src/engines/engine-health.js'
import { EngineWatch } from '../../../src/engines/engine-monitor.js'
import type { EngineRoster, KnownEngine } from '../../../src/engines/index.js'
import { type NightscribeError, UpstreamError } from '../../../src/kernel/errors.js'
import type { Random } from '../../../src/kernel/random.js'
import type { SessionRunner } from '../../../src/realtime/run-session.js'
import { isRefusal } from '../../../src/realtime/session-failure.js'
import type { ChaosEngine } from './chaos-engine.js'
import { MODEL } from './frame-engine.js'
import type { StoreView } from './shared-store.js'
import type { SimulatedProcess } from './simulated-process.js'

const KNEE_LAG_MS = 2_000

interface WorkerEngine {
  engine: ChaosEngine
  desk: EngineDesk
  sessions: SessionPulses
  keeper: EngineKeeper
  watch: EngineWatch<null>
  run: SessionRunner
}

/** The engines of one simulated worker, as `EnginePool` has them, without HTTP. */
export class WorkerEngines implements EngineRoster {
  private readonly engines: readonly WorkerEngine[]
  private readonly process: SimulatedProcess

  constructor(
    process: SimulatedProcess,
    parts: {
      engines: readonly ChaosEngine[]
      view: StoreView
      chains: OwnChains
      random: Random
      onEvent(line: string): void
    },
  ) {
    this.process = process
    this.engines = parts.engines.map((engine) => workerEngine(process, engine, parts))
  }

  get desks(): EngineDesk[] {
    return this.engines.map(({ desk }) => desk)
  }

  /** Carries a leg where its lease is. */
  readonly runSession: SessionRunner = async (request, options) => {
    return await this.at(request.engine.url).run(request, options)
  }

  isUp(desk: EngineDesk): boolean {
    return this.engines.some((each) => each.desk === desk && each.watch.isUp)
  }

  engine(id: string): KnownEngine {
    const { engine } = this.at(id)
    const facts = { maxModelLen: null, version: null, isStandin: true, deltaDelayMs: 0 }
    return { address: { url: engine.id, key: null }, description: { model: MODEL, ...facts } }
  }

  session(lease: LegLease) {
    const { sessions } = this.at(lease.desk.engine)
    return sessions.open(lease.chainId, this.process.clock.monotonicMs())
  }

  isSilent(id: string): boolean {
    const { keeper, watch } = this.at(id)
    return watch.isUp && keeper.isSilent
  }

  suspect(id: string, error: NightscribeError): void {
    const { watch } = this.at(id)
    if (isRefusal(error)) watch.refused(error.message)
    else watch.suspect()
  }

  outage(): string | null {
    return this.engines.some(({ watch }) => watch.isUp) ? null : 'No engine is up.'
  }

  async watch(options: { signal: AbortSignal }): Promise<void> {
    await Promise.all(this.engines.map(({ watch }) => watch.run(options)))
  }

  async round(options: { signal: AbortSignal }): Promise<void> {
    await Promise.all(
      this.engines.map(async ({ keeper, watch }) => {
        await keeper.round(options)
        if (keeper.hungMs > SILENT_OUT_MS) watch.reportSilence()
        if (!watch.isUp) keeper.takenOut()
      }),
    )
  }

  private at(id: string): WorkerEngine {
    const found = this.engines.find(({ engine }) => engine.id === id)
    if (found) return found
    throw new Error(`There is no engine ${id}.`)
  }
}

function workerEngine(
  process: SimulatedProcess,
  engine: ChaosEngine,
  parts: { view: StoreView; chains: OwnChains; random: Random; onEvent(line: string): void },
): WorkerEngine {
  const { view, random } = parts
  const { clock, name: worker } = process
  const { id, plan } = engine
  const desk = new EngineDesk({
    ...{ engine: id, store: view.ledgers, clock, random, plan, liveBlocks: 0 },
  })
  const sessions = new SessionPulses(engine.kv)
  const keeper = new EngineKeeper({
    ...{ desk, pulses: view.pulses, signs: view.signs, sessions, worker, chains: parts.chains },
    readGauges: () => process.through(async () => (engine.isUp ? engine.gauges : null)),
    kneeLagMs: KNEE_LAG_MS,
    deltaDelayMs: 0,
    stallTimeoutMs: 3_000,
    nowMs: () => clock.monotonicMs(),
    onEvent: (event) => parts.onEvent(`${worker} ${id} ${JSON.stringify(event)}`),
  })
  const look = async () => {
    await process.awake()
    if (!engine.isUp) throw new UpstreamError('engine_unavailable', `${id} does not answer.`)
  }
  const watch = new EngineWatch<null>({
    looks: {
      examine: async () => {
        await look()
        return null
      },
      warmUp: look,
      check: look,
    },
    ...{ clock, random, onChange: () => {} },
  })
  return { engine, desk, sessions, keeper, watch, run: engine.runner(process) }
}
