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

/** Longest path of a unix socket on Linux, less the final NUL. */
const SOCKET_PATH_BYTES_MAX = 107
/** Time that Redis has to write its data down before it is killed. */
const KILL_AFTER_MS = 10_000

/** How often it is looked whether a leftover server has gone. */
const LEFTOVER_POLL_MS = 50

/** How Debian and others call the server. The first is in redis-tools, which brings no service. */
const SERVERS = ['redis-server', 'valkey-server', 'redis-check-rdb', 'valkey-check-rdb'] as const

/** Where the Redis of a state folder listens: in it, unless its path is too long for a socket. */
export function embeddedRedisSocket(stateDir: string): string {
  const inside = join(stateDir, 'redis.sock')
  if (Buffer.byteLength(inside) <= SOCKET_PATH_BYTES_MAX) return inside
  const name = createHash('sha256').update(stateDir).digest('hex').slice(0, 16)
  return join(tmpdir(), `nightscribe-${name}.sock`)
}

/** Address of that Redis, as in the setting `redisUrl`. */
export function embeddedRedisUrl(stateDir: string): string {
  return `unix://${embeddedRedisSocket(stateDir)}`
}

/**
 * Starts a Redis of our own: no port, a socket in the state folder, every write on disk within a
 * second. A Redis that a killed run has left behind is ended first, by the id that it was noted
 * under.
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
    // A group of its own: Ctrl+C on the terminal must not end it before the jobs are handed back.
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
      // With a socket alone the line is in lower case.
      if (/ready to accept connections/i.test(line)) resolve()
    })
    child.once('error', reject)
    child.once('close', () => {
      reject(new UpstreamError('queue_unavailable', `Our own Redis did not start: ${last.trim()}`))
    })
  })
}

/** Ends the server of a run that was killed. Its id is trusted only while it is still a Redis. */
async function endLeftover(pidFile: string, signal: AbortSignal): Promise<void> {
  const pid = Number(await readFile(pidFile, 'utf8').catch(() => ''))
  const command = () => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  if (pid && /redis|valkey/.test(await command())) {
    process.kill(pid, 'SIGTERM')
    // It takes its socket away when it goes: the new one must not be there yet.
    const clock = systemClock()
    while ((await command()) !== '') await sleepFor(clock, LEFTOVER_POLL_MS, { signal })
  }
  await rm(pidFile, { force: true })
}
