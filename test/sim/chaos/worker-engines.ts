import { EngineController } from '../../../src/admission/engine/engine-controller.js'
import { SessionTracker } from '../../../src/admission/engine/session-activity.js'
import type { LegLease } from '../../../src/admission/lane/leg-lease.js'
import type { LocalChains } from '../../../src/admission/lane/local-chains.js'
import { LedgerClient } from '../../../src/admission/ledger/ledger-client.js'
import { SILENT_OUT_MS } from '../../../src/engines/engine-health.js'
import { EngineMonitor } from '../../../src/engines/engine-monitor.js'
import type { EngineDirectory, KnownEngine } from '../../../src/engines/index.js'
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
  client: LedgerClient
  sessions: SessionTracker
  controller: EngineController
  monitor: EngineMonitor<null>
  run: SessionRunner
}

/** The engines of one simulated worker, as `EnginePool` has them, without HTTP. */
export class WorkerEngines implements EngineDirectory {
  private readonly engines: readonly WorkerEngine[]
  private readonly process: SimulatedProcess

  constructor(
    process: SimulatedProcess,
    parts: {
      engines: readonly ChaosEngine[]
      view: StoreView
      chains: LocalChains
      random: Random
      onEvent(line: string): void
    },
  ) {
    this.process = process
    this.engines = parts.engines.map((engine) => workerEngine(process, engine, parts))
  }

  get clients(): LedgerClient[] {
    return this.engines.map(({ client }) => client)
  }

  /** Carries a leg where its lease is. */
  readonly runSession: SessionRunner = async (request, options) => {
    return await this.at(request.engine.url).run(request, options)
  }

  isUp(client: LedgerClient): boolean {
    return this.engines.some((each) => each.client === client && each.monitor.isUp)
  }

  engine(id: string): KnownEngine {
    const { engine } = this.at(id)
    const facts = { maxModelLen: null, version: null, isStandin: true, deltaDelayMs: 0 }
    return { address: { url: engine.id, key: null }, description: { model: MODEL, ...facts } }
  }

  session(lease: LegLease) {
    const { sessions } = this.at(lease.client.engine)
    return sessions.open(lease.chainId, this.process.clock.monotonicMs())
  }

  isSilent(id: string): boolean {
    const { controller, monitor } = this.at(id)
    return monitor.isUp && controller.isSilent
  }

  suspect(id: string, error: NightscribeError): void {
    const { monitor } = this.at(id)
    if (isRefusal(error)) monitor.refused(error.message)
    else monitor.suspect()
  }

  outage(): string | null {
    return this.engines.some(({ monitor }) => monitor.isUp) ? null : 'No engine is up.'
  }

  async watch(options: { signal: AbortSignal }): Promise<void> {
    await Promise.all(this.engines.map(({ monitor }) => monitor.run(options)))
  }

  async round(options: { signal: AbortSignal }): Promise<void> {
    await Promise.all(
      this.engines.map(async ({ controller, monitor }) => {
        await controller.tick(options)
        if (controller.hungMs > SILENT_OUT_MS) monitor.reportSilence()
        if (!monitor.isUp) controller.takenOut()
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
  parts: { view: StoreView; chains: LocalChains; random: Random; onEvent(line: string): void },
): WorkerEngine {
  const { view, random } = parts
  const { clock, name: worker } = process
  const { id, plan } = engine
  const client = new LedgerClient({
    ...{ engine: id, store: view.ledgers, clock, random, plan, liveShare: 0 },
  })
  const sessions = new SessionTracker(engine.kv)
  const controller = new EngineController({
    ...{
      client,
      activities: view.activities,
      heartbeats: view.heartbeats,
      sessions,
      worker,
      chains: parts.chains,
    },
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
  const monitor = new EngineMonitor<null>({
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
  return { engine, client, sessions, controller, monitor, run: engine.runner(process) }
}
