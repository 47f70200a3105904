import { type ControllerGauges, EngineController } from '../admission/engine/engine-controller.js'
import { SessionTracker } from '../admission/engine/session-activity.js'
import type { EngineActivityStore, LedgerStore, WorkerHeartbeats } from '../admission/index.js'
import type { LocalChains } from '../admission/lane/local-chains.js'
import { lanesRunning } from '../admission/ledger/ledger-changes.js'
import { LedgerClient } from '../admission/ledger/ledger-client.js'
import type { Settings } from '../config/schema.js'
import { type Clock, sleepFor } from '../kernel/clock.js'
import { ConfigError, isStop, NightscribeError, UpstreamError } from '../kernel/errors.js'
import type { Random } from '../kernel/random.js'
import type { SessionRunner } from '../realtime/run-session.js'
import { framesTaken, isRefusal } from '../realtime/session-failure.js'
import { SILENT_OUT_MS } from './engine-health.js'
import { readEngineGauges } from './engine-metrics.js'
import { EngineMonitor } from './engine-monitor.js'
import { planOf } from './engine-plan-of.js'
import { checkHealth } from './engine-probe.js'
import type { EngineDirectory, EngineEvents, KnownEngine } from './index.js'
import { type EngineFacts, readEngine } from './read-engine.js'
import { warmUp } from './warm-up.js'

/** Time limit for an engine's `/metrics`, which is read once a second. */
const GAUGES_TIMEOUT_MS = 900
/** An engine that has never answered is asked again after 5 to 10 s, at random. */
const FIND_AGAIN_MS = 5_000

/** The settings, stores and observers of the fleet of engines. */
export interface EngineRegistryOptions {
  settings: Settings
  /** The project's folder, see `readEngine`. */
  root: string
  clock: Clock
  random: Random
  runSession: SessionRunner
  store: LedgerStore
  activities: EngineActivityStore
  heartbeats: WorkerHeartbeats
  worker: string
  /** The chains that this process runs. */
  chains: LocalChains
  events: EngineEvents
}

/** The figures of one engine for metrics; null for what isn't known. */
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

/** The figures of an engine that has never answered. */
const UNKNOWN = {
  ...{ isUp: false, lanes: 0, lanesMax: 0, hungMs: 0 },
  kvBlocks: { capacity: 0, predicted: null, measured: null, error: null, correction: 0 },
} as const

/** One engine that has answered, with this worker's parts for it. */
interface RegisteredEngine {
  url: string
  known: KnownEngine
  client: LedgerClient
  sessions: SessionTracker
  controller: EngineController
  monitor: EngineMonitor<EngineFacts>
}

/**
 * All engines of a worker: their limits, their health and their sessions. An engine that doesn't
 * answer at the start is asked every 5 to 10 s, and joins when it answers.
 */
export class EngineRegistry implements EngineDirectory {
  /** The ledger clients of all engines that have answered; only grows. */
  readonly clients: LedgerClient[] = []
  private readonly engines: RegisteredEngine[] = []
  /** Engines that have never answered: url → why, in a sentence. */
  private readonly missing = new Map<string, string>()
  private readonly options: EngineRegistryOptions

  private constructor(options: EngineRegistryOptions) {
    this.options = options
  }

  /**
   * Asks every engine of the settings what it is.
   * @throws ConfigError when one isn't what the settings say; UpstreamError when none answers
   */
  static async open(
    options: EngineRegistryOptions,
    { signal }: { signal: AbortSignal },
  ): Promise<EngineRegistry> {
    const { settings, root } = options
    if (settings.engines.length === 0) {
      throw new ConfigError(
        'config_invalid',
        'No engine is named: set NIGHTSCRIBE_ENGINES, such as ws://gpu-node:8000/v1/realtime.',
      )
    }
    // A signal for each engine: 64 listeners on one signal would make Node warn of a leak.
    const read = (url: string) =>
      readEngine(settings, { url, root }, { signal: AbortSignal.any([signal]) })
    const asked = await Promise.allSettled(settings.engines.map(read))
    const refused = asked.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
    const wrong = refused.find((reason) => !(reason instanceof UpstreamError))
    if (wrong ?? (refused.length === asked.length && refused[0])) throw wrong ?? refused[0]
    const registry = new EngineRegistry(options)
    for (const [at, each] of asked.entries()) {
      if (each.status === 'fulfilled') registry.join(each.value)
      else registry.miss(settings.engines[at] as string, each.reason.message)
    }
    return registry
  }

  get known(): readonly KnownEngine[] {
    return this.engines.map(({ known }) => known)
  }

  /** Whether all engines of the settings have answered. */
  get isWhole(): boolean {
    return this.missing.size === 0
  }

  isUp(client: LedgerClient): boolean {
    return this.engines.some((each) => each.client === client && each.monitor.isUp)
  }

  engine(id: string): KnownEngine {
    return this.at(id).known
  }

  session(lease: { client: LedgerClient; chainId: string }) {
    const { clock } = this.options
    return this.at(lease.client.engine).sessions.open(lease.chainId, clock.monotonicMs())
  }

  isSilent(id: string): boolean {
    const { controller, monitor } = this.at(id)
    // Silence excuses a session's stall only on an engine that is up: after it is taken out, the
    // sessions' own watchdogs must end them, or their lanes would wait for it.
    return monitor.isUp && controller.isSilent
  }

  suspect(id: string, error: NightscribeError): void {
    const { monitor, client } = this.at(id)
    if (isRefusal(error)) monitor.refused(error.message)
    else monitor.suspect()
    const frames = framesTaken(error)
    if (frames !== null) client.limitLegs(frames)
  }

  outage(): string | null {
    if (this.engines.some(({ monitor }) => monitor.isUp)) return null
    const reasons = this.engines.map(({ url, monitor }) => {
      return `${url}: ${monitor.health.reason ?? 'it is being warmed up.'}`
    })
    return `No engine is up. ${[...reasons, ...this.missing.values()].join(' ')}`
  }

  /** The figures of all engines of the settings; for metrics. */
  readings(): EngineReading[] {
    const known = this.engines.map(({ url, client, controller, monitor }) => {
      const { ledger } = client
      const { limits } = client.wholePlan(ledger, client.nowMs())
      return {
        ...{ url, isUp: monitor.isUp, lanes: lanesRunning(ledger), lanesMax: limits.lanes },
        kvBlocks: {
          capacity: limits.kvBlocks,
          predicted: controller.kvBlocksPredicted,
          measured: controller.lastGauges?.kvBlocksHeld ?? null,
          error: controller.kvErrorBlocks,
          correction: ledger.limit.correctionBlocks,
        },
        hungMs: Math.max(0, controller.hungMs),
      }
    })
    return [...known, ...[...this.missing.keys()].map((url) => ({ url, ...UNKNOWN }))]
  }

  /** Checks the engines' health until the signal aborts. @throws a bug */
  async watch({ signal }: { signal: AbortSignal }): Promise<void> {
    const untilStopped = async (look: () => Promise<unknown>) => {
      try {
        await look()
      } catch (error) {
        if (!signal.aborted && !isStop(error)) throw error
      }
    }
    await Promise.all([
      ...this.engines.map(({ monitor }) => untilStopped(() => monitor.run({ signal }))),
      ...[...this.missing.keys()].map((url) =>
        untilStopped(async () => await (await this.find(url, { signal })).monitor.run({ signal })),
      ),
    ])
  }

  /**
   * One tick of every controller.
   * @throws UpstreamError `queue_unavailable`; the signal's reason
   */
  async tick(options: { signal: AbortSignal }): Promise<void> {
    await Promise.all(
      this.engines.map(async ({ controller, monitor }) => {
        await controller.tick(options)
        if (controller.hungMs > SILENT_OUT_MS) monitor.reportSilence()
        if (!monitor.isUp) controller.takenOut()
      }),
    )
  }

  private join(facts: EngineFacts): RegisteredEngine {
    const engine = registeredEngine(this.options, facts)
    this.engines.push(engine)
    this.clients.push(engine.client)
    this.missing.delete(engine.url)
    return engine
  }

  private miss(url: string, reason: string): void {
    if (this.missing.get(url) !== reason) this.options.events.engineHealth(url, 'out', reason)
    this.missing.set(url, reason)
  }

  /** Asks an engine until it answers as the settings say. @throws the signal's reason; bugs */
  private async find(url: string, { signal }: { signal: AbortSignal }): Promise<RegisteredEngine> {
    const { settings, root, clock, random } = this.options
    for (;;) {
      await sleepFor(clock, FIND_AGAIN_MS * (1 + random.uniform()), { signal })
      try {
        return this.join(await readEngine(settings, { url, root }, { signal }))
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof NightscribeError)) throw error
        this.miss(url, error.message)
      }
    }
  }

  private at(id: string): RegisteredEngine {
    const found = this.engines.find(({ url }) => url === id)
    if (found) return found
    throw new UpstreamError('engine_unavailable', `There is no engine ${id} any more.`)
  }
}

function registeredEngine(options: EngineRegistryOptions, facts: EngineFacts): RegisteredEngine {
  const { settings, root, clock, random, store, activities, heartbeats, worker, events } = options
  const { address, description, kvModel } = facts
  const { url } = address
  const { plan, liveShare } = planOf(settings, facts)
  const client = new LedgerClient({ engine: url, store, clock, random, plan, liveShare })
  const sessions = new SessionTracker(kvModel)
  const deltaDelayMs = settings.engine.deltaDelayMs + description.deltaDelayMs
  const controller = new EngineController({
    ...{ client, activities, heartbeats, sessions, worker, deltaDelayMs, chains: options.chains },
    readGauges: (inner) => gaugesOf(facts, inner),
    kneeLagMs: settings.admission.kneeLagMs + deltaDelayMs,
    stallTimeoutMs: settings.engine.stallTimeoutMs,
    nowMs: () => clock.monotonicMs(),
    onEvent: (event) => events.engine(url, event),
  })
  const monitor: EngineMonitor<EngineFacts> = new EngineMonitor({
    looks: {
      examine: async ({ signal }) => {
        const found = await readEngine(settings, { url, root }, { signal })
        // The engine may have been restarted with a KV cache of another size.
        client.setPlan(planOf(settings, found).plan)
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
  return { url, known: { address, description }, client, sessions, controller, monitor }
}

async function gaugesOf(
  { address }: EngineFacts,
  { signal }: { signal: AbortSignal },
): Promise<ControllerGauges | null> {
  try {
    return await readEngineGauges(address, { timeoutMs: GAUGES_TIMEOUT_MS }, { signal })
  } catch {
    // The engine's monitor finds out what is wrong; without figures the KV law alone decides.
    signal.throwIfAborted()
    return null
  }
}
