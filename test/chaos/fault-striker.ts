import { setTimeout as sleep } from 'node:timers/promises'
import type { ChaosEngine, ChaosStack } from './chaos-stack.js'
import type { ChaosFault } from './fault-stream.js'
import type { HeardSessions } from './heard-sessions.js'
import type { KeptUpWorker } from './kept-up-worker.js'

/** A fault as it happened; times from the start of the run. */
export interface StruckFault {
  atMs: number
  fault: ChaosFault
  /** What it befell; null: there was nothing, it doesn't count. */
  target: string | null
  /** Lanes that were being sent by the worker that was killed or frozen, or to the engine. */
  lanes: string[]
}

/** The blocks and deadlocks of one engine, over all processes that it had. */
export interface EngineCount {
  deaths: number
  kvBlocksUsable: number
  kvBlocksHeldMax: number
  deadlocks: number
}

/** Connections that are let in again only once the engine listens. */
const ENGINE_OPENS_MS = 100
/** What `engine_death` takes from the frame to the close when the engine dies behind its server. */
const CORE_CLOSE_MS = 260

/** Lets faults happen. Several may be under way at a time, of each thing one. */
export class FaultStriker {
  readonly engineCounts: EngineCount[]
  private readonly stack: ChaosStack
  private readonly heard: HeardSessions
  /** Lane of each job: `<job>` → its lanes. */
  private readonly lanesOf: (jobId: string) => readonly string[]
  private readonly sinceStartMs: () => number
  private readonly downEngines = new Set<ChaosEngine>()
  private isRedisStruck = false
  private isRolling = false

  constructor(options: {
    stack: ChaosStack
    heard: HeardSessions
    lanesOf: (jobId: string) => readonly string[]
    sinceStartMs: () => number
  }) {
    this.stack = options.stack
    this.heard = options.heard
    this.lanesOf = options.lanesOf
    this.sinceStartMs = options.sinceStartMs
    this.engineCounts = options.stack.engines.map(({ standin }) => ({
      ...{ deaths: 0, kvBlocksHeldMax: 0, deadlocks: 0 },
      kvBlocksUsable: standin.stats.kvBlocksUsable,
    }))
  }

  /** Resolves once it is over, with what it was. */
  async strike(fault: ChaosFault): Promise<StruckFault> {
    const struck: StruckFault = { atMs: this.sinceStartMs(), fault, target: null, lanes: [] }
    switch (fault.kind) {
      case 'worker-kill':
      case 'worker-freeze':
        this.strikeWorker(fault, struck)
        break
      case 'rolling-restart':
        if (await this.restartAll()) struck.target = 'all workers'
        break
      case 'engine-death':
        await this.strikeEngine(fault, struck)
        break
      case 'socket-cut':
      case 'socket-silence':
        this.strikeSocket(fault, struck)
        break
      case 'redis-kill':
      case 'redis-freeze':
        await this.strikeRedis(fault, struck)
        break
      case 's3': {
        const standing = this.stack.s3.set(fault.fault, { times: fault.times })
        await sleep(fault.durationMs)
        standing.lift()
        if (standing.strikes > 0) struck.target = `${standing.strikes} requests`
      }
    }
    return struck
  }

  /** What the engines that run now have come to; to be called before each of them ends. */
  countEngines(): void {
    for (const engine of this.stack.engines) this.countEngine(engine)
  }

  private strikeWorker(
    fault: Extract<ChaosFault, { kind: 'worker-kill' | 'worker-freeze' }>,
    struck: StruckFault,
  ): void {
    const worker = this.oneOf(
      this.stack.workers.filter(({ isUp }) => isUp),
      fault.pick,
    )
    if (!worker) return
    const lanes = this.lanesSentBy(worker)
    const isStruck =
      fault.kind === 'worker-kill' ? worker.kill(fault.downMs) : worker.freeze(fault.durationMs)
    if (isStruck) Object.assign(struck, { target: worker.name, lanes })
  }

  private lanesSentBy({ jobs }: KeptUpWorker): string[] {
    const own = new Set([...jobs].flatMap((jobId) => this.lanesOf(jobId)))
    return [...new Set(this.heard.openLanes)].filter((lane) => own.has(lane))
  }

  private async restartAll(): Promise<boolean> {
    if (this.isRolling) return false
    this.isRolling = true
    let restarted = 0
    for (const worker of this.stack.workers) {
      if (await worker.restart()) restarted += 1
    }
    this.isRolling = false
    return restarted > 0
  }

  private async strikeEngine(
    fault: Extract<ChaosFault, { kind: 'engine-death' }>,
    struck: StruckFault,
  ): Promise<void> {
    const { engines } = this.stack
    const engine = this.oneOf(
      engines.filter((each) => !this.downEngines.has(each)),
      fault.pick,
    )
    if (!engine) return
    this.downEngines.add(engine)
    const index = engines.indexOf(engine)
    struck.target = `engine-${index}, ${engine.standin.stats.connectionsActive} sessions`
    const { manner, downMs } = fault
    this.countEngine(engine)
    const count = this.engineCounts[index]
    if (count) count.deaths += 1
    const term = Number(manner === 'term')
    const closeMs = manner === 'core' ? CORE_CLOSE_MS : 0
    const abrupt = Number(manner === 'abrupt')
    engine.standin.kill({ abrupt, term, abortDeltas: term, closeMs, downMs })
    if (manner === 'abrupt') await engine.proxy.shut()
    await sleep(closeMs + downMs + ENGINE_OPENS_MS)
    await engine.proxy.open()
    this.downEngines.delete(engine)
  }

  private countEngine(engine: ChaosEngine): void {
    const { kvBlocksHeldMax, deadlocks } = engine.standin.stats
    const count = this.engineCounts[this.stack.engines.indexOf(engine)]
    if (!count) return
    count.kvBlocksHeldMax = Math.max(count.kvBlocksHeldMax, kvBlocksHeldMax)
    count.deadlocks += deadlocks
  }

  private strikeSocket(
    { kind, pick }: Extract<ChaosFault, { kind: 'socket-cut' | 'socket-silence' }>,
    struck: StruckFault,
  ): void {
    const { engines } = this.stack
    const total = engines.reduce((sum, { proxy }) => sum + proxy.sessions, 0)
    let at = Math.floor(pick * total)
    for (const [index, { proxy }] of engines.entries()) {
      const { sessions } = proxy
      if (at < sessions) {
        const within = (at + 0.5) / sessions
        const isStruck = kind === 'socket-cut' ? proxy.cut(within) : proxy.silence(within)
        if (isStruck) struck.target = `engine-${index}`
        return
      }
      at -= sessions
    }
  }

  private async strikeRedis(
    fault: Extract<ChaosFault, { kind: 'redis-kill' | 'redis-freeze' }>,
    struck: StruckFault,
  ): Promise<void> {
    if (this.isRedisStruck) return
    this.isRedisStruck = true
    struck.target = 'redis'
    const { redis } = this.stack
    if (fault.kind === 'redis-kill') {
      await redis.kill()
      await sleep(fault.downMs)
      await redis.start()
    } else {
      await redis.freeze()
      await sleep(fault.durationMs)
      await redis.thaw()
    }
    this.isRedisStruck = false
  }

  private oneOf<T>(all: readonly T[], pick: number): T | undefined {
    return all[Math.floor(pick * all.length)]
  }
}
