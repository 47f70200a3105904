/** The two parts of a checkout that are made, not committed: `node_modules` and `dist`. */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runToEnd } from './setup-command.mjs'
import { SetupError } from './setup-error.mjs'

const ENTRY = 'dist/src/cli/main.js'
/** In `dist`, so that deleting the build also deletes the note that it is up to date. */
const STAMP = 'dist/.sources'
const SOURCE_FOLDERS = ['src', 'jobs', 'gpu']
const SOURCE_FILES = ['tsconfig.json', 'package-lock.json']

/**
 * Why `npm ci` has to run, or null. Compares npm's own list of the installed tree with the lock
 * file: a tree installed by hand counts as well, a half-finished one doesn't.
 * @param {string} projectDir
 */
export function packagesPending(projectDir) {
  const installedPath = join(projectDir, 'node_modules/.package-lock.json')
  if (!existsSync(installedPath)) return 'there are none'
  const wanted = readPackages(join(projectDir, 'package-lock.json'))
  const installed = readPackages(installedPath)
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '' || (entry.optional && installed[path] === undefined)) continue
    if (installed[path]?.version !== entry.version) return 'package-lock.json has changed'
    const isDirect = path.lastIndexOf('node_modules/') === 0
    if (isDirect && !existsSync(join(projectDir, path))) return `${path} is missing`
  }
  return null
}

function readPackages(lockPath) {
  try {
    return JSON.parse(readFileSync(lockPath, 'utf8')).packages ?? {}
  } catch (error) {
    throw new SetupError(
      `${lockPath} can't be read (${error.message}): check the file out again.`,
      70,
    )
  }
}

/** Installs exactly what package-lock.json says, including the compiler. */
export function installNodePackages(projectDir, env) {
  return runToEnd('npm', ['ci', '--include=dev', '--ignore-scripts'], { cwd: projectDir, env })
}

/**
 * Why the sources have to be compiled, or null.
 * @param {string} projectDir
 */
export function buildPending(projectDir) {
  const stampPath = join(projectDir, STAMP)
  if (!existsSync(join(projectDir, ENTRY)) || !existsSync(stampPath)) return 'first time'
  if (readFileSync(stampPath, 'utf8') !== sourceStamp(projectDir)) return 'sources have changed'
  return null
}

/** Compiles the sources into `dist`. @throws SetupError with the compiler's output, exit code 70 */
export async function build(projectDir, env) {
  const stampPath = join(projectDir, STAMP)
  // Read before the build: a file saved during it counts as changed, and is compiled next time.
  const stamp = sourceStamp(projectDir)

  // Without its stamp `dist` may be incomplete: the compiler's cache is removed, or it would skip
  // files whose output is missing.
  if (!existsSync(stampPath)) rmSync(join(projectDir, 'dist/.tsbuildinfo'), { force: true })
  const compiler = join(projectDir, 'node_modules/typescript/bin/tsc')
  try {
    await runToEnd(process.execPath, [compiler, '-p', projectDir], { cwd: projectDir, env })
  } catch (error) {
    if (error instanceof SetupError && error.exitCode === 75) error.exitCode = 70
    throw error
  }
  writeFileSync(stampPath, stamp)
}

/**
 * A hash over path, size and time of every source; changes with edits, deletions and older files.
 */
function sourceStamp(projectDir) {
  const hash = createHash('sha256')
  const add = (path) => {
    const stat = statSync(join(projectDir, path))
    hash.update(`${path}:${stat.size}:${stat.mtimeMs}\n`)
  }
  const walk = (folder) => {
    const entries = readdirSync(join(projectDir, folder), { withFileTypes: true })
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = `${folder}/${entry.name}`
      if (entry.isDirectory()) walk(path)
      else if (entry.name.endsWith('.ts')) add(path)
    }
  }
  for (const file of SOURCE_FILES) add(file)
  for (const folder of SOURCE_FOLDERS) if (existsSync(join(projectDir, folder))) walk(folder)
  return hash.digest('hex')
}
