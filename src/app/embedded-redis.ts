import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { abortedWithin, orAbort } from '../kernel/abort.js'
import { sleepFor, systemClock } from '../kernel/clock.js'
import { ConfigError, UpstreamError } from '../kernel/errors.js'

/** Longest path of a unix socket on Linux in bytes, without the final NUL. */
const SOCKET_PATH_BYTES_MAX = 107
/** How long, in ms, Redis may take to write its data down before it is killed. */
const KILL_AFTER_MS = 10_000

/** How often, in ms, to look whether the Redis of a killed run has ended. */
const LEFTOVER_POLL_MS = 50

/**
 * Names of the server program. `redis-check-rdb` is the same binary in Debian's redis-tools, a
 * package that installs no system service; it serves when it is started under the name
 * redis-server.
 */
const SERVERS = ['redis-server', 'valkey-server', 'redis-check-rdb', 'valkey-check-rdb'] as const

/**
 * Path of the Redis socket of a state folder: inside it, or in the temporary folder when the path
 * would be longer than a socket's may be (107 bytes).
 */
export function embeddedRedisSocket(stateDir: string): string {
  const inside = join(stateDir, 'redis.sock')
  if (Buffer.byteLength(inside) <= SOCKET_PATH_BYTES_MAX) return inside
  const name = createHash('sha256').update(stateDir).digest('hex').slice(0, 16)
  return join(tmpdir(), `nightscribe-${name}.sock`)
}

/** Address of the state folder's Redis, in the form of the setting `redisUrl`. */
export function embeddedRedisUrl(stateDir: string): string {
  return `unix://${embeddedRedisSocket(stateDir)}`
}

/**
 * Starts a Redis of our own: no port, a socket in the state folder, every write on disk within 1 s.
 * A Redis that a killed run has left behind is ended first; its process id is in `redis.pid`.
 *
 * @throws ConfigError when no server program is installed; UpstreamError when it does not come up
 */
export async function startEmbeddedRedis(
  stateDir: string,
  options: { path: string; signal: AbortSignal },
): Promise<AsyncDisposable> {
  const folder = join(stateDir, 'redis')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const pidFile = join(stateDir, 'redis.pid')
  await endLeftover(pidFile, abortedWithin(KILL_AFTER_MS, options.signal))
  const child = spawnServer(options.path, [
    ...['--port', '0', '--unixsocket', embeddedRedisSocket(stateDir), '--unixsocketperm', '700'],
    ...['--dir', folder, '--appendonly', 'yes', '--appendfsync', 'everysec', '--save', ''],
    ...['--maxmemory-policy', 'noeviction', '--daemonize', 'no'],
  ])
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const stop = async () => {
    child.kill('SIGTERM')
    await orAbort(exited, AbortSignal.timeout(KILL_AFTER_MS)).catch(() => child.kill('SIGKILL'))
    await exited
    await rm(pidFile, { force: true })
  }
  try {
    await orAbort(untilReady(child), options.signal)
  } catch (error) {
    await stop()
    throw error
  }
  await writeFile(pidFile, String(child.pid))
  return { [Symbol.asyncDispose]: stop }
}

function spawnServer(path: string, args: string[]): ChildProcess {
  for (const name of SERVERS) {
    const folder = path.split(':').find((entry) => entry && existsSync(join(entry, name)))
    if (!folder) continue
    const argv0 = name.replace('check-rdb', 'server')
    // Started in a process group of its own: Ctrl+C on the terminal would otherwise end Redis
    // before the workers have handed their jobs back.
    const options = { argv0, detached: true, stdio: ['ignore', 'pipe', 'inherit'] as const }
    return spawn(join(folder, name), args, { ...options, stdio: ['ignore', 'pipe', 'inherit'] })
  }
  throw new ConfigError(
    'config_invalid',
    'No Redis is installed; run `sudo apt-get install -y --no-install-recommends redis-tools`, or name one in NIGHTSCRIBE_REDIS_URL.',
  )
}

function untilReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let last = ''
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
    lines.on('line', (line) => {
      last = line
      // Matched in any case: a Redis without a port writes this line in lower case.
      if (/ready to accept connections/i.test(line)) resolve()
    })
    child.once('error', reject)
    child.once('close', () => {
      reject(new UpstreamError('queue_unavailable', `Our own Redis did not start: ${last.trim()}`))
    })
  })
}

/**
 * Ends the Redis of a run that was killed. The process id is used only while that process is a
 * Redis or Valkey: the id may meanwhile belong to a different program.
 */
async function endLeftover(pidFile: string, signal: AbortSignal): Promise<void> {
  const pid = Number(await readFile(pidFile, 'utf8').catch(() => ''))
  const command = () => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  if (pid && /redis|valkey/.test(await command())) {
    process.kill(pid, 'SIGTERM')
    // The old server deletes its socket file when it exits: wait, or it would delete the new one's.
    const clock = systemClock()
    while ((await command()) !== '') await sleepFor(clock, LEFTOVER_POLL_MS, { signal })
  }
  await rm(pidFile, { force: true })
}
