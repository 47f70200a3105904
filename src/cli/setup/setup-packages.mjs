/** Debian packages: installed when we are root, otherwise the one line that installs them. */
import { runToEnd } from './setup-command.mjs'
import { SetupError } from './setup-error.mjs'
import { unmetNeeds } from './setup-programs.mjs'
import { withoutServices } from './setup-quietly.mjs'

/**
 * Installs the programs that are missing.
 * @param {import('./setup-programs.mjs').Need[]} needs unmet ones
 * @param {{ cwd: string, env: Record<string, string | undefined>, isRoot: boolean }} options
 * @throws SetupError: exit code 2 when a person must install something, 75 when apt failed
 */
export async function installPackages(needs, { cwd, env, isRoot }) {
  const packages = needs.flatMap((need) => need.packages)
  const hasApt = unmetNeeds([{ name: 'apt', packages: [], programs: [['apt-get']] }], pathOf(env))
  if (hasApt.length > 0) throw new SetupError(byHandSentence(needs), 2)
  if (!isRoot) {
    const line = `sudo apt-get install --no-install-recommends ${packages.join(' ')}`
    throw new SetupError(`${namesOf(needs)} must be installed first, please run:\n  ${line}`, 2)
  }
  const apt = (...args) =>
    runToEnd('apt-get', args, { cwd, env: { ...env, DEBIAN_FRONTEND: 'noninteractive' } })
  const install = async () => {
    // In seconds: a fresh machine may hold apt's lock for its own updates.
    const waitForLock = ['-o', 'DPkg::Lock::Timeout=120']
    await apt(...waitForLock, 'update')
    await apt(...waitForLock, 'install', '-y', '--no-install-recommends', ...packages)
  }
  await (needs.some((need) => need.bringsServices) ? withoutServices(install) : install())
  const still = unmetNeeds(needs, pathOf(env))
  if (still.length > 0) {
    const names = packages.join(', ')
    throw new SetupError(`${namesOf(still)} can't be found after installing ${names}.`, 2)
  }
}

/** The PATH of an environment; empty where it has none. */
export function pathOf(env) {
  return env.PATH ?? ''
}

/** The names of needs: `ffmpeg, Redis`. */
export function namesOf(needs) {
  return needs.map((need) => need.name).join(', ')
}

function byHandSentence(needs) {
  const programs = needs.flatMap((need) => need.programs.map((names) => names[0]))
  return (
    `${namesOf(needs)} must be installed first, and there is no apt-get here: ` +
    `bring these programs into PATH: ${programs.join(', ')}.`
  )
}
