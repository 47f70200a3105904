import { EngineDesk } from '../src/admission/engine-desk.js'
import { EngineKeeper, type KeeperGauges } from '../src/admission/engine-keeper.js'
import { lanesCarried } from '../src/admission/ledger-changes.js'
import type { EnginePulses, LedgerStore, SignsOfLife } from '../src/admission/ledger-store.js'
import type { OwnChains } from '../src/admission/own-chains.js'
import { SessionPulses } from '../src/admission/session-pulses.js'
import { planOf } from '../src/cli/engine-plan-of.js'
import { type EngineFacts, readEngine } from '../src/cli/examine-engine.js'
import { projectRoot } from '../src/cli/project-root.js'
import type { Settings } from '../src/config/schema.js'
import type { Clock } from '../src/kernel/clock.js'
import { ConfigError, isStop, type NightscribeError, UpstreamError } from '../src/kernel/errors.js'
import type { Random } from '../src/kernel/random.js'
import type { EngineRoster, KnownEngine } from '../src/pipeline/index.js'
import { SILENT_OUT_MS } from '../src/realtime/engine-health.js'
import { readEngineGauges } from '../src/realtime/engine-metrics.js'
import { checkHealth } from '../src/realtime/engine-probe.js'
import { EngineWatch } from '../src/realtime/engine-watch.js'
import type { SessionRunner } from '../src/realtime/run-session.js'
import { framesTaken, isRefusal } from '../src/realtime/session-failure.js'
import { warmUp } from '../src/realtime/warm-up.js'
import type { WorkerEvents } from './events.js'

/** An engine's page of figures must come within this, for one is asked for every second. */
const GAUGES_TIMEOUT_MS = 900

/** What the engines of a worker are opened with. */
export interface EnginePoolOptions {
  settings: Settings
  clock: Clock
  random: Random
  runSession: SessionRunner
  store: LedgerStore
  pulses: EnginePulses
  signs: SignsOfLife
  worker: string
  /** What this process carries. */
  chains: OwnChains
  events: WorkerEvents
}

/** One engine as it stands; null for what isn't known. */
export interface EngineReading {
  url: string
  isUp: boolean
  lanes: number
  lanesMax: number
  kvBlocks: {
    capacity: number
    predicted: number | null
    measured: number | null
    error: number | null
    correction: number
  }
  hungMs: number
}

/** One engine as this worker deals with it. */
interface PooledEngine {
  url: string
  known: KnownEngine
  desk: EngineDesk
  sessions: SessionPulses
  keeper: EngineKeeper
  watch: EngineWatch<EngineFacts>
}

/** All engines of a worker: what they can carry, whether they are well, who is on them. */
export class EnginePool implements EngineRoster {
  private readonly engines: readonly PooledEngine[]
  private readonly clock: Clock

  private constructor(engines: readonly PooledEngine[], clock: Clock) {
    this.engines = engines
    this.clock = clock
  }

  /**
   * Asks every engine what it is.
   * @throws ConfigError when one isn't what the settings say; UpstreamError when none is there
   */
  static async open(
    options: EnginePoolOptions,
    { signal }: { signal: AbortSignal },
  ): Promise<EnginePool> {
    const { settings, clock } = options
    if (settings.engines.length === 0) {
      throw new ConfigError(
        'config_invalid',
        'No engine is named: set NIGHTSCRIBE_ENGINES, such as ws://gpu-node:8000/v1/realtime.',
      )
    }
    const root = projectRoot()
    // A signal for each: up to 64 listen at a time.
    const read = (url: string) =>
      readEngine(settings, { url, root }, { signal: AbortSignal.any([signal]) })
    const asked = await Promise.allSettled(settings.engines.map(read))
    const refused = asked.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
    const wrong = refused.find((reason) => !(reason instanceof UpstreamError))
    if (wrong ?? (refused.length === asked.length && refused[0])) throw wrong ?? refused[0]
    const engines = asked.flatMap((each) => {
      return each.status === 'fulfilled' ? [pooledEngine(options, each.value)] : []
    })
    return new EnginePool(engines, clock)
  }

  get known(): readonly KnownEngine[] {
    return this.engines.map(({ known }) => known)
  }

  get desks(): readonly EngineDesk[] {
    return this.engines.map(({ desk }) => desk)
  }

  isUp(desk: EngineDesk): boolean {
    return this.engines.some((each) => each.desk === desk && each.watch.isUp)
  }

  engine(id: string): KnownEngine {
    return this.at(id).known
  }

  session(lease: { desk: EngineDesk; chainId: string }) {
    return this.at(lease.desk.engine).sessions.open(lease.chainId, this.clock.monotonicMs())
  }

  isSilent(id: string): boolean {
    const { keeper, watch } = this.at(id)
    // One that was taken out keeps nobody: its sessions' own watchdogs end them.
    return watch.isUp && keeper.isSilent
  }

  suspect(id: string, error: NightscribeError): void {
    const { watch, desk } = this.at(id)
    if (isRefusal(error)) watch.refused(error.message)
    else watch.suspect()
    const frames = framesTaken(error)
    if (frames !== null) desk.limitLegs(frames)
  }

  outage(): string | null {
    if (this.engines.some(({ watch }) => watch.isUp)) return null
    const reasons = this.engines.map(({ url, watch }) => {
      return `${url}: ${watch.health.reason ?? 'it is being warmed up.'}`
    })
    return `No engine is up. ${reasons.join(' ')}`
  }

  /** How the engines stand; for metrics. */
  readings(): EngineReading[] {
    return this.engines.map(({ url, desk, keeper, watch }) => {
      const { ledger } = desk
      const { limits } = desk.planOf(ledger, desk.nowMs())
      return {
        ...{ url, isUp: watch.isUp, lanes: lanesCarried(ledger), lanesMax: limits.lanes },
        kvBlocks: {
          capacity: limits.kvBlocks,
          predicted: keeper.kvBlocksPredicted,
          measured: keeper.lastGauges?.kvBlocksHeld ?? null,
          error: keeper.kvErrorBlocks,
          correction: ledger.limit.correctionBlocks,
        },
        hungMs: Math.max(0, keeper.hungMs),
      }
    })
  }

  /** Looks after the engines' health until the signal aborts. @throws a bug */
  async watch({ signal }: { signal: AbortSignal }): Promise<void> {
    await Promise.all(
      this.engines.map(async ({ watch }) => {
        try {
          await watch.run({ signal })
        } catch (error) {
          if (!signal.aborted && !isStop(error)) throw error
        }
      }),
    )
  }

  /** One round of every keeper. @throws UpstreamError `queue_unavailable`; the signal's reason */
  async round(options: { signal: AbortSignal }): Promise<void> {
    await Promise.all(
      this.engines.map(async ({ keeper, watch }) => {
        await keeper.round(options)
        if (keeper.hungMs > SILENT_OUT_MS) watch.reportSilence()
        if (!watch.isUp) keeper.takenOut()
      }),
    )
  }

  private at(id: string): PooledEngine {
    const found = this.engines.find(({ url }) => url === id)
    if (found) return found
    throw new UpstreamError('engine_unavailable', `There is no engine ${id} any more.`)
  }
}

function pooledEngine(options: EnginePoolOptions, facts: EngineFacts): PooledEngine {
  const { settings, clock, random, store, pulses, signs, worker, events } = options
  const { address, description, kvModel } = facts
  const { url } = address
  const { plan, liveBlocks } = planOf(settings, facts)
  const desk = new EngineDesk({ engine: url, store, clock, random, plan, liveBlocks })
  const sessions = new SessionPulses(kvModel)
  const deltaDelayMs = settings.engine.deltaDelayMs + description.deltaDelayMs
  const keeper = new EngineKeeper({
    ...{ desk, pulses, signs, sessions, worker, deltaDelayMs, chains: options.chains },
    readGauges: (inner) => gaugesOf(facts, inner),
    kneeLagMs: settings.admission.kneeLagMs + deltaDelayMs,
    nowMs: () => clock.monotonicMs(),
    onEvent: (event) => events.engine(url, event),
  })
  const watch: EngineWatch<EngineFacts> = new EngineWatch({
    looks: {
      examine: async ({ signal }) => {
        const found = await readEngine(settings, { url, root: projectRoot() }, { signal })
        // It may have been started again with another cache.
        desk.setPlan(planOf(settings, found).plan)
        return found
      },
      warmUp: async (found, { signal }) => {
        const { model } = found.description
        await warmUp(options.runSession, { engine: address, model, deltaDelayMs }, { signal })
      },
      check: ({ signal }) =>
        checkHealth(address, { timeoutMs: settings.engine.connectTimeoutMs }, { signal }),
    },
    clock,
    random,
    onChange: ({ health: { state, reason } }) => events.engineHealth(url, state, reason),
  })
  return { url, known: { address, description }, desk, sessions, keeper, watch }
}

async function gaugesOf(
  { address }: EngineFacts,
  { signal }: { signal: AbortSignal },
): Promise<KeeperGauges | null> {
  try {
    return await readEngineGauges(address, { timeoutMs: GAUGES_TIMEOUT_MS }, { signal })
  } catch {
    // The watch over its health finds out what is wrong; without figures the models decide.
    signal.throwIfAborted()
    return null
  }
}
