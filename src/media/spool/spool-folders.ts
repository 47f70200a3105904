import { readdir, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { systemCode } from '../../kernel/errors.js'

/** The spool folder of a process that is gone. */
export interface DeadSpool {
  path: string
  /** Whether the process ran on this host: then its end is certain, else only assumed. */
  isLocal: boolean
  files: number
  bytes: number
  /** When a file in it was last written, ms of the Unix epoch. */
  touchedMs: number
}

/** Time in ms without a change after which another host's folder counts as left behind. */
const FOREIGN_AGE_MIN_MS = 24 * 3600 * 1000

/**
 * Name of the spool folder of this process. It contains the host, because hosts may share a state
 * folder, and a process id is unique on one host only.
 */
export function ownSpoolName(): string {
  return spoolName(hostname(), process.pid)
}

/** Name of the spool folder of a process on a host. */
export function spoolName(host: string, pid: number): string {
  return `${host.replace(/[^A-Za-z0-9.-]/g, '-')}_${pid}`
}

/**
 * Spool folders whose processes are gone: on this host those whose process id is unused, of other
 * hosts those without a change for 24 h. A process id that is in use again keeps an old folder
 * until that process ends too.
 * @param spoolRoot the folder that holds them
 */
export async function deadSpools(
  spoolRoot: string,
  { nowMs, signal }: { nowMs: number; signal: AbortSignal },
): Promise<DeadSpool[]> {
  const dead: DeadSpool[] = []
  // The folder is missing where no worker has run with this state folder.
  const names = await readdir(spoolRoot).catch(() => [])
  for (const name of names) {
    signal.throwIfAborted()
    const [, host, pid] = /^(.+)_(\d+)$/.exec(name) ?? []
    if (host === undefined) continue
    const isLocal = spoolName(hostname(), Number(pid)) === name
    if (isLocal && isAlive(Number(pid))) continue
    const contents = await contentsOf(join(spoolRoot, name))
    if (!contents || (!isLocal && nowMs - contents.touchedMs < FOREIGN_AGE_MIN_MS)) continue
    dead.push({ path: join(spoolRoot, name), isLocal, ...contents })
  }
  return dead
}

/** Removes a spool folder with all its files. */
export async function removeSpool({ path }: Pick<DeadSpool, 'path'>): Promise<void> {
  await rm(path, { recursive: true, force: true })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return systemCode(error) !== 'ESRCH' // EPERM: another user's process lives
  }
}

/** Counts the files of a folder; null where it is gone. */
async function contentsOf(
  folder: string,
): Promise<{ files: number; bytes: number; touchedMs: number } | null> {
  // An entry that is gone, or is no folder, is no spool.
  const own = await stat(folder).catch(() => null)
  if (!own?.isDirectory()) return null
  let [files, bytes, touchedMs] = [0, 0, own.mtimeMs]
  for (const name of await readdir(folder).catch(() => [])) {
    // A file that is gone meanwhile is not counted.
    const found = await stat(join(folder, name)).catch(() => null)
    if (!found) continue
    files += 1
    bytes += found.size
    touchedMs = Math.max(touchedMs, found.mtimeMs)
  }
  return { files, bytes, touchedMs }
}
