import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, constants, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { CreateBucketCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { systemClock } from '../../src/kernel/clock.js'
import { systemRandom } from '../../src/kernel/random.js'
import { createS3Client } from '../../src/storage/s3/s3-client.js'
import { patientClient } from '../../src/storage/s3/s3-retry.js'
import { freePort } from './free-port.js'

const run = promisify(execFile)

const PROGRAMS = [
  'ceph',
  'ceph-mon',
  'ceph-osd',
  'ceph-authtool',
  'monmaptool',
  'radosgw',
  'radosgw-admin',
  'setpriv',
]
const START_TIMEOUT_MS = 240_000
const STOP_TIMEOUT_MS = 10_000
const POLL_MS = 100
const MEMORY_BYTES = 2 * 2 ** 30

/** One user of the server. */
export interface RadosgwUser {
  accessKeyId: string
  secretAccessKey: string
}

/** A real S3 server of our own on loopback, all of it in memory; disposing it leaves nothing. */
export interface Radosgw extends RadosgwUser, AsyncDisposable {
  /** `http://127.0.0.1:<port>` */
  endpoint: string
  createBucket(name: string): Promise<void>
  /** As the owner, and past every store of ours. */
  putObject(bucket: string, key: string, body: Uint8Array): Promise<void>
  /** Another account, which may do nothing in the first one's buckets. */
  addUser(name: string): Promise<RadosgwUser>
}

/**
 * Starts Ceph's gateway with one monitor and one OSD in memory (about 10 s, 300 MB), in a temporary
 * folder, on free ports. Needs root because the daemons insist on it.
 *
 * @throws Error naming the apt packages when they are missing, or with the end of the log of the
 *   daemon that didn't come up
 */
export async function startRadosgw(): Promise<Radosgw> {
  await assertInstalled()
  const folder = await mkdtemp(join(tmpdir(), 'rgw-'))
  const cluster = new CephCluster(folder)
  try {
    const deadline = AbortSignal.timeout(START_TIMEOUT_MS)
    await cluster.start(deadline)
    const user = await cluster.addUser('owner')
    return {
      endpoint: cluster.endpoint,
      ...user,
      createBucket: (name) =>
        asOwner(cluster.endpoint, user, (client) =>
          client.send(new CreateBucketCommand({ Bucket: name })),
        ),
      putObject: (bucket, key, body) =>
        asOwner(cluster.endpoint, user, (client) =>
          client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body })),
        ),
      addUser: (name) => cluster.addUser(name),
      [Symbol.asyncDispose]: () => cluster.stop(),
    }
  } catch (error) {
    await cluster.stop()
    throw error
  }
}

async function asOwner(
  endpoint: string,
  user: RadosgwUser,
  work: (client: S3Client) => Promise<unknown>,
): Promise<void> {
  const client = createS3Client({
    endpoint,
    ...user,
    region: 'us-east-1',
    pathStyle: true,
    checksums: 'when_required',
  })
  const patience = { clock: systemClock(), random: systemRandom(), isProven: () => true }
  try {
    await work(patientClient(client, patience))
  } finally {
    client.destroy()
  }
}

/** The daemons in the order in which they start; they stop the other way round. */
class CephCluster {
  endpoint = ''
  private readonly folder: string
  private readonly daemons: { name: string; child: ChildProcess }[] = []
  private readonly killAll = () => {
    for (const { child } of this.daemons) child.kill('SIGKILL')
  }

  constructor(folder: string) {
    this.folder = folder
  }

  async start(deadline: AbortSignal): Promise<void> {
    process.once('exit', this.killAll)
    const [monPort, gatewayPort] = [await freePort(), await freePort()]
    this.endpoint = `http://127.0.0.1:${gatewayPort}`
    const fsid = crypto.randomUUID()
    for (const name of ['run', 'mon', 'osd', 'rgw']) await mkdir(this.path(name))
    await writeFile(this.path('ceph.conf'), cephConf(this.folder, fsid, monPort, gatewayPort))
    await this.makeMonitor(fsid, monPort)
    await this.daemon('mon', 'ceph-mon', ['-i', 'a'])
    const osdId = crypto.randomUUID()
    await this.ceph(['osd', 'new', osdId], deadline)
    await this.tool('ceph-osd', ['-i', '0', '--mkfs', '--osd-uuid', osdId])
    await this.daemon('osd', 'ceph-osd', ['-i', '0'])
    await this.until('the OSD to come up', deadline, async () => {
      const { stdout } = await this.ceph(['osd', 'stat'], deadline)
      return /\b1 up\b/.test(stdout)
    })
    await this.daemon('rgw', 'radosgw', ['-n', 'client.rgw'])
    await this.until('the gateway to answer', deadline, async () => {
      const answer = await fetch(this.endpoint, { signal: deadline }).catch(() => null)
      await answer?.arrayBuffer()
      return answer?.status === 200
    })
  }

  async addUser(name: string): Promise<RadosgwUser> {
    const { stdout } = await this.tool('radosgw-admin', [
      ...['-n', 'client.rgw', 'user', 'create', '--uid', name, '--display-name', name],
      ...['--access-key', `key-${name}`, '--secret-key', `secret-${crypto.randomUUID()}`],
    ])
    const created = JSON.parse(stdout) as { keys: { access_key: string; secret_key: string }[] }
    const key = created.keys[0]
    if (!key) throw new Error(`radosgw-admin made the user ${name} without a key`)
    return { accessKeyId: key.access_key, secretAccessKey: key.secret_key }
  }

  async stop(): Promise<void> {
    for (const { child } of [...this.daemons].reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      const patience = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
      await ended
      clearTimeout(patience)
    }
    process.removeListener('exit', this.killAll)
    await rm(this.folder, { recursive: true, force: true })
  }

  private path(name: string): string {
    return join(this.folder, name)
  }

  private async makeMonitor(fsid: string, monPort: number): Promise<void> {
    await this.makeKeys()
    const map = this.path('monmap')
    const address = `[v2:127.0.0.1:${monPort}/0]`
    await this.tool('monmaptool', ['--create', '--addv', 'a', address, '--fsid', fsid, map])
    await this.tool('ceph-mon', [
      '--mkfs',
      '-i',
      'a',
      '--monmap',
      map,
      '--keyring',
      this.path('keyring'),
    ])
  }

  /** One keyring for all; the monitor learns of every entity in it when it is made. */
  private async makeKeys(): Promise<void> {
    const keyring = this.path('keyring')
    await run('ceph-authtool', ['--create-keyring', keyring])
    for (const name of ['mon.', 'client.admin', 'osd.0', 'client.rgw']) {
      const caps = ['mon', 'osd'].flatMap((service) => ['--cap', service, 'allow *'])
      await run('ceph-authtool', [keyring, '-n', name, '--gen-key', ...caps])
    }
  }

  private tool(program: string, args: string[], signal?: AbortSignal) {
    return run(program, ['-c', this.path('ceph.conf'), ...args], { signal, timeout: 60_000 })
  }

  private ceph(args: string[], signal: AbortSignal) {
    return this.tool('ceph', args, signal)
  }

  /** Runs a daemon in the foreground as a child; it is killed with this process. */
  private async daemon(name: string, program: string, args: string[]): Promise<void> {
    const child = spawn(
      'setpriv',
      ['--pdeathsig', 'KILL', '--', program, '-f', '-c', this.path('ceph.conf'), ...args],
      { stdio: 'ignore' },
    )
    this.daemons.push({ name, child })
    await once(child, 'spawn')
  }

  private async until(
    what: string,
    deadline: AbortSignal,
    ready: () => Promise<boolean>,
  ): Promise<void> {
    while (!(await ready())) {
      for (const { name, child } of this.daemons) {
        if (child.exitCode === null && child.signalCode === null) continue
        throw new Error(`The Ceph daemon ${name} ended by itself.\n${await this.logTail(name)}`)
      }
      if (deadline.aborted) throw new Error(`Waited too long for ${what}.`)
      await sleep(POLL_MS)
    }
  }

  private async logTail(name: string): Promise<string> {
    const log = await readFile(this.path(`${name}.log`), 'utf8').catch(() => '(it wrote no log)')
    return log.split('\n').slice(-15).join('\n')
  }
}

function cephConf(folder: string, fsid: string, monPort: number, gatewayPort: number): string {
  return `[global]
fsid = ${fsid}
mon host = [v2:127.0.0.1:${monPort}/0]
mon initial members = a
keyring = ${folder}/keyring
auth allow insecure global id reclaim = false
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv4 = true
ms bind ipv6 = false
ms bind msgr1 = false
run dir = ${folder}/run
admin socket = ${folder}/run/$name.$pid.asok
pid file = ${folder}/run/$name.pid
log to stderr = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 2000
mon data avail crit = 1
mon data avail warn = 1
[mon]
mon data = ${folder}/mon
log file = ${folder}/mon.log
mon cluster log file = ${folder}/cluster.log
[osd]
osd data = ${folder}/osd
osd objectstore = memstore
memstore device bytes = ${MEMORY_BYTES}
osd class load list = *
osd class default list = *
log file = ${folder}/osd.log
[client.rgw]
rgw data = ${folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:${gatewayPort}
rgw enable usage log = false
rgw thread pool size = 64
log file = ${folder}/rgw.log
`
}

async function assertInstalled(): Promise<void> {
  const folders = (process.env.PATH ?? '').split(delimiter)
  for (const program of PROGRAMS) {
    const found = folders.map((folder) => access(join(folder, program), constants.X_OK))
    if ((await Promise.allSettled(found)).some(({ status }) => status === 'fulfilled')) continue
    throw new Error(
      `${program} is missing; the S3 tests need a real server: ` +
        'apt-get install --no-install-recommends ceph-mon ceph-osd radosgw ceph-common',
    )
  }
}
