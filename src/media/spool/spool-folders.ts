import { readdir, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { systemCode } from '../../kernel/errors.js'

/** Decoded audio of one process that is gone. */
export interface DeadSpool {
  path: string
  /** Whether the process ran on this host: then it is known to be gone. */
  isLocal: boolean
  files: number
  bytes: number
  /** When something in it was last written; Unix epoch. */
  touchedMs: number
}

/** A folder that another host may use is left alone for this long after its last change, in ms. */
const FOREIGN_AGE_MIN_MS = 24 * 3600 * 1000

/**
 * Name of the spool folder of this process: with its host, because a state folder may be shared and
 * process ids mean nothing elsewhere.
 */
export function ownSpoolName(): string {
  return spoolName(hostname(), process.pid)
}

/** Name of the spool folder of a process of some host. */
export function spoolName(host: string, pid: number): string {
  return `${host.replace(/[^A-Za-z0-9.-]/g, '-')}_${pid}`
}

/**
 * Spool folders whose processes are gone: of this host by their ids, of others when nothing was
 * written for a day. An id that was given out again keeps a folder until that process ends, too.
 * @param spoolRoot the folder that holds them
 */
export async function deadSpools(
  spoolRoot: string,
  { nowMs, signal }: { nowMs: number; signal: AbortSignal },
): Promise<DeadSpool[]> {
  const dead: DeadSpool[] = []
  const names = await readdir(spoolRoot).catch(() => []) // no worker has run here
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

/** Removes one, with all that is in it. */
export async function removeSpool({ path }: Pick<DeadSpool, 'path'>): Promise<void> {
  await rm(path, { recursive: true, force: true })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return systemCode(error) !== 'ESRCH' // EPERM: it lives, and is another user's
  }
}

/** Null where it has gone meanwhile. */
async function contentsOf(
  folder: string,
): Promise<{ files: number; bytes: number; touchedMs: number } | null> {
  const own = await stat(folder).catch(() => null) // gone, or no folder: then there is nothing
  if (!own?.isDirectory()) return null
  let [files, bytes, touchedMs] = [0, 0, own.mtimeMs]
  for (const name of await readdir(folder).catch(() => [])) {
    const found = await stat(join(folder, name)).catch(() => null) // as above
    if (!found) continue
    files += 1
    bytes += found.size
    touchedMs = Math.max(touchedMs, found.mtimeMs)
  }
  return { files, bytes, touchedMs }
}
