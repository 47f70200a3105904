/**
 * Installs what a command needs and a fresh checkout lacks: npm packages, the build, and system
 * programs. Plain JavaScript with Node's own modules, as it runs before anything is installed. When
 * nothing is missing it does nothing, in less than 1 s.
 *
 *   node src/cli/setup/setup.mjs [build|start|test|samples]
 *
 * All its messages go to stderr: stdout belongs to the command that follows.
 */
import { existsSync, realpathSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build, buildPending, installNodePackages, packagesPending } from './setup-checkout.mjs'
import { SetupError } from './setup-error.mjs'
import { takeSetupLock } from './setup-lock.mjs'
import { fetchModel, modelPending, speechModelOf } from './setup-model.mjs'
import { installPackages, namesOf, pathOf } from './setup-packages.mjs'
import { needsOf, unmetNeeds } from './setup-programs.mjs'

const PURPOSES = ['build', 'start', 'test', 'samples']
const NODE_MIN = [20, 20, 2]

/** The checkout that contains this file, whatever the current folder is. */
export const PROJECT_DIR = resolve(
  dirname(realpathSync(fileURLToPath(import.meta.url))),
  '../../..',
)

// A closed stderr is ignored: set-up goes on without messages instead of ending with an exception.
process.stderr.on('error', () => {})

/**
 * Why this Node version can't run Nightscribe, and what to do; null when it can.
 * @param {string} version as in `process.versions.node`
 */
export function nodeProblem(version = process.versions.node) {
  const found = version.split('.').map(Number)
  // The first part that differs decides.
  const at = NODE_MIN.findIndex((least, index) => found[index] !== least)
  if (at < 0 || (found[at] ?? 0) > (NODE_MIN[at] ?? 0)) return null
  const platform = `node-${process.platform}-${process.arch}`
  return (
    `Node ${NODE_MIN.join('.')} or newer is needed, this is ${version}. Install Node 24, or put one ` +
    'into this folder with this line:\n' +
    `  npm install --prefix .nightscribe/node --ignore-scripts ${platform}@24 && ` +
    `export PATH="$PWD/.nightscribe/node/node_modules/${platform}/bin:$PATH"`
  )
}

/**
 * Sets up for a purpose: `build` is packages and the build, the others add their programs.
 * @param {'build' | 'start' | 'test' | 'samples'} purpose
 * @param {{ projectDir?: string, env?: Record<string, string | undefined>, isRoot?: boolean,
 *   configName?: string, say?: (text: string) => void, pythons?: string[] }} options
 * @throws SetupError
 */
export async function setUp(purpose, options = {}) {
  const problem = nodeProblem()
  if (problem !== null) throw new SetupError(problem, 2)
  const projectDir = options.projectDir ?? PROJECT_DIR
  const env = options.env ?? process.env
  const isRoot = options.isRoot ?? process.getuid?.() === 0
  const say = options.say ?? ((text) => process.stderr.write(text))
  const sayLine = (line) => say(`set-up: ${line}\n`)
  let lock = null
  try {
    for (const step of stepsFor(purpose, { ...options, projectDir, env, isRoot, sayLine })) {
      if ((await step.pending()) === null) continue
      lock ??= await takeSetupLock(join(projectDir, '.nightscribe/setup.lock'), sayLine)
      const reason = await step.pending() // the last holder of the lock may have done it
      if (reason === null) continue
      say(`set-up: ${step.does} (${reason}) … `)
      const startedMs = performance.now()
      try {
        await step.run()
      } catch (error) {
        say('failed\n')
        throw error
      }
      say(`${((performance.now() - startedMs) / 1000).toFixed(1)} s\n`)
    }
  } finally {
    lock?.release()
  }
}

/**
 * Steps in order: the build comes before the programs and the speech model, since it is needed to
 * read the settings, which say what of them is needed.
 */
function stepsFor(purpose, { projectDir, env, isRoot, configName, sayLine, pythons }) {
  const packages = {
    does: 'installing npm packages',
    pending: async () => packagesPending(projectDir),
    run: () => installNodePackages(projectDir, env),
  }
  const compile = {
    does: 'compiling',
    pending: async () => buildPending(projectDir),
    run: () => build(projectDir, env),
  }
  const unmet = async () => {
    const all = unmetNeeds(needsOf(purpose, null), pathOf(env))
    if (purpose !== 'start' || all.length === 0) return all
    // The settings are read only when a program is missing: they may name that part elsewhere.
    const settings = await readSettings(projectDir, env, configName)
    return unmetNeeds(needsOf(purpose, settings), pathOf(env))
  }
  const programs = {
    does: 'bringing programs',
    pending: async () => namesOf(await unmet()) || null,
    run: async () => installPackages(await unmet(), { cwd: projectDir, env, isRoot }),
  }
  const model = {
    does: 'fetching the speech model',
    pending: async () => {
      const reason = modelPending(await speechModelOf(projectDir, env))
      if (reason === null || purpose !== 'start') return reason
      const { engines, standin } = await readSettings(projectDir, env, configName)
      return engines.length > 0 || standin.modelPath !== null ? null : reason
    },
    run: async () => {
      const options = { cwd: projectDir, env, isRoot, say: sayLine, pythons }
      await fetchModel(await speechModelOf(projectDir, env), options)
    },
  }
  if (purpose === 'samples') return [packages, programs]
  if (purpose === 'build') return [packages, compile]
  return [packages, compile, programs, model]
}

/** @throws ConfigError naming every wrong setting */
async function readSettings(projectDir, env, configName) {
  const loader = join(projectDir, 'dist/src/config/load-settings.js')
  const { loadSettings } = await import(pathToFileURL(loader).href)
  return loadSettings({ cwd: projectDir, env, flags: {}, configName }).settings
}

/**
 * Prints what went wrong; shared by both entry points.
 * @param {unknown} error
 * @returns {number} the exit code
 */
export function reportSetupFailure(error) {
  if (error instanceof SetupError) {
    process.stderr.write(`nightscribe: ${error.message}\n`)
    return error.exitCode
  }
  if (error instanceof Error && error.name === 'ConfigError') {
    process.stderr.write(`nightscribe: ${error.message}\n`)
    return 2
  }
  process.stderr.write(`nightscribe: set-up broke: ${error?.stack ?? error}\n`)
  return 70
}

async function runAsProgram(purpose) {
  if (!PURPOSES.includes(purpose)) {
    const known = PURPOSES.join(', ')
    throw new SetupError(`set-up for "${purpose}" isn't known, use one of: ${known}.`, 2)
  }
  await setUp(purpose)
}

const startedAs = process.argv[1]
if (startedAs !== undefined && existsSync(startedAs)) {
  if (realpathSync(startedAs) === realpathSync(fileURLToPath(import.meta.url))) {
    try {
      await runAsProgram(process.argv[2] ?? 'start')
    } catch (error) {
      process.exitCode = reportSetupFailure(error)
    }
  }
}
