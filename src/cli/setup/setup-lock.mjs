/**
 * One set-up at a time in a checkout: two commands started together must not both run `npm ci`.
 * The lock is a file that holds its owner's process id; a lock whose owner is gone is taken over.
 */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SetupError } from './setup-error.mjs'

const POLL_MS = 100
const WAIT_MAX_MS = 15 * 60 * 1000

/**
 * Waits until no other process sets up, then holds the lock until `release` or the end of the
 * process.
 * @param {string} lockPath
 * @param {(line: string) => void} say called once when another process holds the lock
 * @returns {Promise<{ release(): void }>}
 * @throws SetupError with exit code 75 after 15 minutes of waiting
 */
export async function takeSetupLock(lockPath, say) {
  mkdirSync(dirname(lockPath), { recursive: true })
  const startedMs = performance.now()
  let told = false
  while (!tryTake(lockPath)) {
    const owner = ownerOf(lockPath)
    if (owner !== null && !isAlive(owner)) {
      takeAway(lockPath, owner)
      continue
    }
    if (performance.now() - startedMs > WAIT_MAX_MS) {
      throw new SetupError(
        `another set-up (process ${owner}) has held ${lockPath} for 15 minutes: ` +
          'end it, or remove that file if no set-up is running.',
        75,
      )
    }
    if (!told) say(`waiting for another set-up (process ${owner ?? 'unknown'})`)
    told = true
    await sleep(POLL_MS)
  }
  const release = () => {
    process.off('exit', release)
    if (ownerOf(lockPath) === process.pid) rmSync(lockPath, { force: true })
  }
  process.on('exit', release)
  return { release }
}

/**
 * Links a finished file into place: writing the lock directly, another process could read it before
 * the owner's id is in it.
 */
function tryTake(lockPath) {
  const ownPath = `${lockPath}.${process.pid}`
  writeFileSync(ownPath, `${process.pid}\n`)
  try {
    linkSync(ownPath, lockPath)
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(ownPath, { force: true })
  }
}

function ownerOf(lockPath) {
  try {
    const pid = Number.parseInt(readFileSync(lockPath, 'utf8'), 10)
    return Number.isInteger(pid) && pid > 0 ? pid : null
  } catch (error) {
    if (error.code === 'ENOENT') return null
    throw error
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM' // it lives, under another user
  }
}

/** Removes the lock of a dead process; puts it back when a living one took it in the meantime. */
function takeAway(lockPath, deadPid) {
  const asidePath = `${lockPath}.${process.pid}.stale`
  try {
    renameSync(lockPath, asidePath)
    if (ownerOf(asidePath) !== deadPid) linkSync(asidePath, lockPath)
  } catch (error) {
    // ENOENT: another waiting process removed it first. EEXIST: a third one has taken it since.
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error
  } finally {
    rmSync(asidePath, { force: true })
  }
}
