/**
 * Keeps a package installation from leaving system services behind. We need programs, never
 * services: the tests start their own servers, on loopback, in folders of their own.
 */
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

const POLICY_TEXT = `#!/bin/sh
# Written by Nightscribe's set-up while it installs packages, and removed by it: start no service.
exit 101
`

/**
 * Runs an installation with the start of services forbidden, then disables the services it enabled.
 * Services from before stay as they were.
 * @template T
 * @param {() => Promise<T>} install
 * @param {string} systemRoot `/`, or a folder for tests
 * @returns {Promise<T>}
 */
export async function withoutServices(install, systemRoot = '/') {
  const policyPath = join(systemRoot, 'usr/sbin/policy-rc.d')
  const ours = !existsSync(policyPath) || readFileSync(policyPath, 'utf8') === POLICY_TEXT
  const before = new Set(startLinks(systemRoot))
  const restore = () => ours && rmSync(policyPath, { force: true })
  process.on('exit', restore)
  try {
    if (ours) {
      writeFileSync(policyPath, POLICY_TEXT)
      chmodSync(policyPath, 0o755)
    }
    return await install()
  } finally {
    process.off('exit', restore)
    restore()
    for (const link of startLinks(systemRoot)) if (!before.has(link)) disable(link)
  }
}

/** Links by which systemd (`*.wants`) and System V (`rcN.d/S…`) start services at boot. */
function startLinks(systemRoot) {
  const etc = join(systemRoot, 'etc')
  const systemd = join(etc, 'systemd/system')
  const wants = namesIn(systemd).filter((name) => name.endsWith('.wants'))
  const runlevels = ['rc2.d', 'rc3.d', 'rc4.d', 'rc5.d']
  return [
    ...wants.flatMap((wanted) =>
      namesIn(join(systemd, wanted)).map((n) => join(systemd, wanted, n)),
    ),
    ...runlevels.flatMap((level) =>
      namesIn(join(etc, level))
        .filter((name) => /^S\d\d/.test(name))
        .map((name) => join(etc, level, name)),
    ),
  ]
}

function namesIn(folder) {
  return existsSync(folder) ? readdirSync(folder) : []
}

/**
 * Disables a service as `systemctl disable` and `update-rc.d … disable` do, so that an upgrade of
 * its package doesn't enable it again.
 */
function disable(link) {
  const stopLink = link.replace(/\/S(\d\d[^/]*)$/, '/K$1')
  if (stopLink === link) rmSync(link)
  else renameSync(link, stopLink)
}
