import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  deadSpools,
  ownSpoolName,
  removeSpool,
  spoolName,
} from '../../../../src/media/spool/spool-folders.js'

const { signal } = new AbortController()
let root: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'nightscribe-spools-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

async function folder(name: string, files = 1): Promise<void> {
  await mkdir(join(root, name))
  for (let file = 0; file < files; file += 1) await writeFile(join(root, name, `${file}`), 'pcm')
}

const dead = async (nowMs = Date.now()) =>
  (await deadSpools(root, { nowMs, signal })).map(({ path }) => path.slice(root.length + 1)).sort()

describe('spool folders', () => {
  it('are left over when their process is gone, and not before', async () => {
    const child = spawn('sleep', ['60'])
    const [theirs, ended] = [spoolName(hostname(), child.pid ?? 0), once(child, 'close')]
    await folder(theirs, 2)
    await folder(ownSpoolName())
    expect(await dead()).toEqual([])
    child.kill('SIGKILL')
    await ended
    const [spool] = await deadSpools(root, { nowMs: Date.now(), signal })
    expect(spool).toMatchObject({ isLocal: true, files: 2, bytes: 6 })
    if (spool) await removeSpool(spool)
    expect(await readdir(root)).toEqual([ownSpoolName()])
  })

  it('of another host are left alone for a day, whatever lives there', async () => {
    await folder('elsewhere_1')
    await utimes(join(root, 'elsewhere_1'), 1, 1)
    expect(await dead()).toEqual([])
    expect(await dead(Date.now() + 25 * 3600 * 1000)).toEqual(['elsewhere_1'])
  })

  it('are nothing else that lies there', async () => {
    await folder('notes')
    await writeFile(join(root, 'elsewhere_2'), 'a file')
    expect(await dead(Date.now() + 25 * 3600 * 1000)).toEqual([])
    expect(await deadSpools(join(root, 'absent'), { nowMs: 0, signal })).toEqual([])
  })
})
