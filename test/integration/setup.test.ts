import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { BareCheckout } from '../fakes/bare-checkout.js'

const startPackages = 'ffmpeg redis-tools'
const lockWait = '-o DPkg::Lock::Timeout=120'
const aptCalls = [
  `apt-get ${lockWait} update [noninteractive]`,
  `apt-get ${lockWait} install -y --no-install-recommends ${startPackages} [noninteractive]`,
]
const npmCall = 'npm ci --include=dev --ignore-scripts'
const pipCall = `pip download tiny-model==1.0 --hash=sha256:${'0'.repeat(64)}`

/** What `setup.mjs` and its parts export, of the copy in a checkout. */
async function scriptOf(checkout: BareCheckout, name: string) {
  return await import(pathToFileURL(join(checkout.folder, 'src/cli/setup', name)).href)
}

async function setUp(checkout: BareCheckout, purpose: string, options: object = {}) {
  const { setUp: run } = await scriptOf(checkout, 'setup.mjs')
  const said: string[] = []
  const { folder: projectDir, env } = checkout
  const say = (text: string) => said.push(text)
  await run(purpose, { projectDir, env, isRoot: true, say, ...options })
  return said.join('')
}

describe('set-up of a fresh checkout', () => {
  it('installs, compiles and brings the programs, then has nothing to do', async () => {
    using checkout = new BareCheckout()
    const said = await setUp(checkout, 'start')
    expect(checkout.calls).toStrictEqual([npmCall, 'tsc', ...aptCalls, pipCall])
    expect(said.split('\n').map((line) => line.replace(/[\d.]+ s$/, 'N s'))).toStrictEqual([
      'set-up: installing npm packages (there are none) … N s',
      'set-up: compiling (first time) … N s',
      'set-up: bringing programs (ffmpeg, Redis) … N s',
      'set-up: fetching the speech model (tiny, 2 MB, once for this user) … N s',
      '',
    ])
    expect(await setUp(checkout, 'start')).toBe('')
    expect(checkout.calls).toHaveLength(5)
    expect(existsSync(join(checkout.folder, '.nightscribe/setup.lock'))).toBe(false)
  })

  it('asks in one line for what only root can install', async () => {
    using checkout = new BareCheckout()
    await expect(setUp(checkout, 'start', { isRoot: false })).rejects.toMatchObject({
      exitCode: 2,
      message: `ffmpeg, Redis must be installed first, please run:\n  sudo apt-get install --no-install-recommends ${startPackages}`,
    })
  })

  it('names the programs where there is no apt-get', async () => {
    using checkout = new BareCheckout()
    rmSync(join(checkout.bin, 'apt-get'))
    await expect(setUp(checkout, 'start')).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining('PATH: ffmpeg, ffprobe, redis-server'),
    })
  })

  it('installs nothing for a part that the settings name', async () => {
    using checkout = new BareCheckout()
    const media = { ffmpegPath: '/opt/ffmpeg', ffprobePath: '/opt/ffprobe' }
    checkout.setSettings({ redisUrl: 'redis://far/', engines: ['ws://far/'], media })
    await setUp(checkout, 'start', { isRoot: false })
    expect(checkout.calls).toStrictEqual([npmCall, 'tsc'])
  })

  it('takes any server binary of Redis', async () => {
    for (const name of ['redis-server', 'valkey-server', 'redis-check-rdb']) {
      using checkout = new BareCheckout()
      checkout.setSettings({ engines: ['ws://far/'] })
      for (const program of ['ffmpeg', 'ffprobe', name]) checkout.addProgram(program)
      await setUp(checkout, 'start', { isRoot: false })
      expect(checkout.calls).not.toContainEqual(expect.stringContaining('apt-get'))
    }
  })
})

describe('set-up later on', () => {
  it('repeats only what has changed', async () => {
    using checkout = new BareCheckout()
    await setUp(checkout, 'build')
    expect(checkout.calls).toStrictEqual([npmCall, 'tsc'])
    checkout.write('src/media/pcm.ts', '')
    await setUp(checkout, 'build')
    expect(checkout.calls.slice(2)).toStrictEqual(['tsc'])
    rmSync(join(checkout.folder, 'src/media/pcm.ts'))
    await setUp(checkout, 'build')
    expect(checkout.calls.slice(3)).toStrictEqual(['tsc'])
    checkout.setPackageVersion('1.0.1')
    await setUp(checkout, 'build')
    expect(checkout.calls.slice(4)).toStrictEqual([npmCall, 'tsc'])
    rmSync(join(checkout.folder, 'dist'), { recursive: true })
    await setUp(checkout, 'build')
    expect(checkout.calls.slice(6)).toStrictEqual(['tsc'])
    rmSync(join(checkout.folder, 'node_modules/typescript'), { recursive: true })
    await setUp(checkout, 'build')
    expect(checkout.calls.slice(7)).toStrictEqual([npmCall])
  })

  it('says what npm or the compiler said, lets go of the lock, and can be repeated', async () => {
    using checkout = new BareCheckout()
    checkout.write('no-network', '')
    await expect(setUp(checkout, 'build')).rejects.toMatchObject({
      exitCode: 75,
      message: expect.stringMatching(/`npm ci .*ended with code 1:\n {2}npm error network/),
    })
    rmSync(join(checkout.folder, 'no-network'))
    checkout.write('type-error', '')
    await expect(setUp(checkout, 'build')).rejects.toMatchObject({
      exitCode: 70,
      message: expect.stringContaining('error TS1'),
    })
    rmSync(join(checkout.folder, 'type-error'))
    await setUp(checkout, 'build')
    expect(await setUp(checkout, 'build')).toBe('')
  })

  it('runs once when two commands start together', async () => {
    using checkout = new BareCheckout()
    const script = join(checkout.folder, 'src/cli/setup/setup.mjs')
    const both = await Promise.all([
      checkout.run(script, ['build']),
      checkout.run(script, ['build']),
    ])
    expect(both.map(({ exitCode }) => exitCode)).toStrictEqual([0, 0])
    expect(checkout.calls).toStrictEqual([npmCall, 'tsc'])
  })

  it('takes over the lock of a process that is gone', async () => {
    using checkout = new BareCheckout()
    const { stdout } = await checkout.run('-p', ['process.pid'])
    checkout.write('.nightscribe/setup.lock', stdout)
    await setUp(checkout, 'build')
    expect(checkout.calls).toStrictEqual([npmCall, 'tsc'])
  })
})

describe('the nightscribe command', () => {
  it('runs from anywhere by a link, in the folder where it is called', async () => {
    using checkout = new BareCheckout()
    const elsewhere = dirname(checkout.folder)
    const link = join(elsewhere, 'nightscribe')
    symlinkSync(join(checkout.folder, 'src/cli/nightscribe.mjs'), link)
    const first = await checkout.run(link, ['jobs', 'list', '--json'], elsewhere)
    expect(first.exitCode).toBe(0)
    expect(JSON.parse(first.stdout)).toStrictEqual({
      argv: ['jobs', 'list', '--json'],
      cwd: elsewhere,
    })
    expect(first.stderr).toContain('set-up: compiling')
    expect(await checkout.run(link, ['jobs', '--fail'], elsewhere)).toMatchObject({
      exitCode: 75,
      stderr: '',
    })
    expect(checkout.calls).toStrictEqual([npmCall, 'tsc'])
  })

  it('brings the programs for `up`, by the settings that --config names', async () => {
    using checkout = new BareCheckout()
    checkout.setSettings({ engines: ['ws://far/'] })
    for (const program of ['ffmpeg', 'ffprobe']) checkout.addProgram(program)
    const script = join(checkout.folder, 'src/cli/nightscribe.mjs')
    for (const args of [
      ['--config', 'far', 'up'],
      ['up', '--config=far'],
      ['up', '--help'],
    ]) {
      expect(await checkout.run(script, args)).toMatchObject({ exitCode: 0 })
    }
    expect(checkout.calls).toStrictEqual([npmCall, 'tsc'])
  })

  it('ends with 2 and the sentence when a setting is wrong', async () => {
    using checkout = new BareCheckout()
    checkout.setSettings({ problem: 'a setting is wrong' })
    const ended = await checkout.run(join(checkout.folder, 'src/cli/nightscribe.mjs'), ['up'])
    expect(ended).toMatchObject({ exitCode: 2, stdout: '' })
    expect(ended.stderr).toMatch(/nightscribe: a setting is wrong\n$/)
  })

  it('knows its purposes', async () => {
    using checkout = new BareCheckout()
    const ended = await checkout.run(join(checkout.folder, 'src/cli/setup/setup.mjs'), ['nonsense'])
    expect(ended).toMatchObject({ exitCode: 2 })
    expect(ended.stderr).toContain('build, start, test, samples')
  })
})

describe('the Node that is needed', () => {
  it.each([
    ['18.20.4', false],
    ['20.18.9', false],
    ['20.20.1', false],
    ['20.20.2', true],
    ['20.21.0', true],
    ['22.0.0', true],
    ['24.21.0', true],
  ])('%s: %j', async (version, enough) => {
    using checkout = new BareCheckout()
    const { nodeProblem } = await scriptOf(checkout, 'setup.mjs')
    const problem: string | null = nodeProblem(version)
    expect(problem === null).toBe(enough)
    if (problem !== null) expect(problem).toContain(`this is ${version}`)
  })
})

describe('packages that bring services', () => {
  it('start none, enable none, and leave others as they were', async () => {
    using checkout = new BareCheckout()
    const { withoutServices } = await scriptOf(checkout, 'setup-quietly.mjs')
    const root = join(tmpdir(), `nightscribe-root-${process.pid}`)
    const at = (path: string) => join(root, path)
    const policy = at('usr/sbin/policy-rc.d')
    const wants = at('etc/systemd/system/multi-user.target.wants')
    try {
      for (const folder of [dirname(policy), wants, at('etc/rc2.d')]) {
        mkdirSync(folder, { recursive: true })
      }
      writeFileSync(join(wants, 'cron.service'), '')
      writeFileSync(at('etc/rc2.d/S01cron'), '')
      const install = async () => {
        expect(readFileSync(policy, 'utf8')).toMatch(/^exit 101$/m)
        writeFileSync(join(wants, 'ceph.target'), '')
        writeFileSync(at('etc/rc2.d/S01radosgw'), '')
        return 'installed'
      }
      expect(await withoutServices(install, root)).toBe('installed')
      const left = ['cron.service', 'ceph.target'].map((name) => existsSync(join(wants, name)))
      expect(left).toStrictEqual([true, false])
      const links = ['S01cron', 'S01radosgw', 'K01radosgw'].map((n) =>
        existsSync(at(`etc/rc2.d/${n}`)),
      )
      expect(links).toStrictEqual([true, false, true])
      expect(existsSync(policy)).toBe(false)
      writeFileSync(policy, '#!/bin/sh\nexit 0\n# the machine has one; exit 101\n')
      const failing = withoutServices(() => Promise.reject(new Error('apt broke')), root)
      await expect(failing).rejects.toThrow('apt broke')
      expect(readFileSync(policy, 'utf8')).toContain('the machine has one')
    } finally {
      rmSync(root, { recursive: true, force: true })
    }
  })
})
