import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../fakes/free-port.js'
import { type GroupMember, membersOf } from './process-group.js'

/** Ways in which an engine comes to its end. */
export type EngineDeath = 'core killed' | 'server killed' | 'told to stop'

/** vLLM's title of the process that computes. */
const CORE_TITLE = 'VLLM::EngineCore'
const READY_MAX_MS = 600_000
/** What outlives its server for so long is ended, as whatever runs engines would. */
const LINGER_MAX_MS = 8_000
const LOOK_EVERY_MS = 200
const LOG_LINES_SHOWN = 60
/**
 * Runs the kit, says its pid, and stays until the pipe to us closes, however we end; then the whole
 * group goes.
 */
const KEEPER = 'bash "$@" </dev/null 3>&- & echo $! >&3; read -r _; kill -KILL 0'

/**
 * A real engine that is this test's own: started from a kit, on one port, in a process group of its
 * own, which never outlives us. Two states: *running*, from `start` to `die`; *ended*, with no
 * process of it left. Disposing of it ends it.
 */
export class OwnEngine implements AsyncDisposable {
  readonly url: string
  readonly key: string
  private readonly kit: string
  private readonly options: readonly string[]
  private readonly port: number
  private readonly folder: string
  private keeper: ChildProcess | null = null
  private serverPid = 0

  private constructor(kit: string, parts: { port: number; folder: string; options: string[] }) {
    this.kit = kit
    this.port = parts.port
    this.folder = parts.folder
    this.options = parts.options
    this.key = randomUUID()
    this.url = `ws://127.0.0.1:${this.port}/v1/realtime`
  }

  /** Starts one. @param options of the kit's `serve.sh` */
  static async start(kit: string, options: string[]): Promise<OwnEngine> {
    const folder = await mkdtemp(join(tmpdir(), 'nightscribe-engine-'))
    const engine = new OwnEngine(kit, { port: await freePort(), folder, options })
    try {
      await engine.start()
      return engine
    } catch (error) {
      await engine[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Resolves when it answers. @throws Error with the end of its log when it doesn't */
  async start(): Promise<void> {
    assert.equal(this.keeper, null, 'it runs already')
    const log = await open(this.logPath, 'w')
    // One thread to compute: several wait for each other, beside whatever else this machine does.
    const env = { ...process.env, OMP_NUM_THREADS: '1' }
    const command = [join(this.kit, 'serve.sh'), '--port', String(this.port), '--key', this.key]
    const keeper = spawn('bash', ['-c', KEEPER, 'keeper', ...command, ...this.options], {
      detached: true,
      stdio: ['pipe', log.fd, log.fd, 'pipe'],
      env,
    })
    this.keeper = keeper
    const [said] = await once(keeper.stdio[3] as Readable, 'data')
    this.serverPid = Number(said)
    await log.close()
    const untilMs = performance.now() + READY_MAX_MS
    while (!(await this.isHealthy())) {
      if ((await this.members()).length === 0) throw await this.failure('has ended')
      if (performance.now() > untilMs) throw await this.failure(`isn't ready in ${READY_MAX_MS} ms`)
      await sleep(LOOK_EVERY_MS)
    }
  }

  /** Makes it die. Resolves at once; `ended` says when it is over. */
  async die(how: EngineDeath): Promise<void> {
    const members = await this.members()
    const server = members.find(({ pid }) => pid === this.serverPid)
    const core = members.find(({ title }) => title.startsWith(CORE_TITLE))
    const titles = members.map(({ title }) => title).join('; ')
    assert.ok(server && core, `no server or no core among: ${titles}`)
    if (how === 'core killed') process.kill(core.pid, 'SIGKILL')
    else process.kill(server.pid, how === 'server killed' ? 'SIGKILL' : 'SIGTERM')
  }

  /** Resolves when no process of it is left; ends what lingers. */
  async ended(): Promise<void> {
    const { keeper } = this
    if (keeper === null) return
    const untilMs = performance.now() + LINGER_MAX_MS
    while ((await this.members()).length > 0 && performance.now() < untilMs) {
      await sleep(LOOK_EVERY_MS)
    }
    await this.endGroup(keeper)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.keeper) await this.endGroup(this.keeper)
    await rm(this.folder, { recursive: true, force: true })
  }

  private get groupId(): number {
    return this.keeper?.pid ?? 0
  }

  private get logPath(): string {
    return join(this.folder, 'engine.log')
  }

  /** All of the group but the keeper. */
  private async members(): Promise<GroupMember[]> {
    return (await membersOf(this.groupId)).filter(({ pid }) => pid !== this.groupId)
  }

  private async endGroup(keeper: ChildProcess): Promise<void> {
    const isOver = keeper.exitCode !== null || keeper.signalCode !== null
    const exited = isOver ? null : once(keeper, 'exit')
    keeper.stdin?.end()
    await exited
    while ((await this.members()).length > 0) await sleep(LOOK_EVERY_MS)
    this.keeper = null
  }

  private async isHealthy(): Promise<boolean> {
    try {
      const signal = AbortSignal.timeout(2_000)
      return (await fetch(`http://127.0.0.1:${this.port}/health`, { signal })).ok
    } catch {
      return false // not yet, or not any more; the caller looks at its processes
    }
  }

  private async failure(what: string): Promise<Error> {
    const lines = (await readFile(this.logPath, 'utf8')).trimEnd().split('\n')
    return new Error(`The engine ${what}; its log:\n${lines.slice(-LOG_LINES_SHOWN).join('\n')}`)
  }
}
