import type * as FsPromises from 'node:fs/promises'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, sep } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/kernel/clock.js'
import { systemRandom } from '../../src/kernel/random.js'
import { openFolderStore } from '../../src/storage/folder/folder-object-store.js'
import type { ObjectStore } from '../../src/storage/index.js'
import { type DevStack, startDevStack } from '../dev-stack.js'
import { toneRecording } from '../fakes/tone-recording.js'
import { expectWords, submitTo, transcriptOf } from '../job-results.js'

/** The disk that storage's new files go to. */
const disk = vi.hoisted(() => ({ bytesFree: Infinity, syncFails: false, refused: 0 }))

/**
 * A file that a folder store is writing meets a disk of our own: it takes as many bytes as are
 * free, those of a write that doesn't fit too, and then says ENOSPC as the kernel does.
 */
vi.mock('node:fs/promises', async (original) => {
  const actual = await original<typeof FsPromises>()
  const noSpace = (call: string) => {
    disk.refused += 1
    const message = `ENOSPC: no space left on device, ${call}`
    return Object.assign(new Error(message), { code: 'ENOSPC', syscall: call })
  }
  const open: typeof actual.open = async (path, flags, mode) => {
    const handle = await actual.open(path, flags, mode)
    if (flags !== 'wx' || !String(path).includes(`${sep}.tmp${sep}`)) return handle
    const write = handle.write.bind(handle) as (...args: unknown[]) => Promise<unknown>
    const sync = handle.sync.bind(handle)
    const limited = async (bytes: Uint8Array, offset = 0, length = bytes.byteLength - offset) => {
      if (disk.bytesFree <= 0) throw noSpace('write')
      const fits = Math.min(length, disk.bytesFree)
      disk.bytesFree -= fits
      return await write(bytes, offset, fits)
    }
    return Object.assign(handle, {
      write: limited,
      sync: async () => {
        if (disk.syncFails) throw noSpace('fsync')
        await sync()
      },
    })
  }
  return { ...actual, open }
})

const signal = new AbortController().signal
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-disk-full-'))
})
afterEach(() => Object.assign(disk, { bytesFree: Infinity, syncFails: false, refused: 0 }))
afterAll(() => rm(folder, { recursive: true, force: true }))

async function keysIn(store: ObjectStore): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list('', { signal })) keys.push(key)
  return keys
}

describe('a folder store on a disk that is full', () => {
  it.each([
    ['from the start', { bytesFree: 0 }],
    ['after some bytes of one write', { bytesFree: 10 }],
    ['after some writes', { bytesFree: 250_000 }],
    ['when the bytes go to disk', { syncFails: true }],
  ])('%s: says so, keeps what stood, and leaves nothing half-written', async (_, full) => {
    const root = await mkdtemp(join(folder, 'store-'))
    const store = await openFolderStore({ root, clock: systemClock(), random: systemRandom() })
    await store.put('kept.json', Buffer.from('before'), { signal })
    async function* stream() {
      for (let index = 0; index < 4; index += 1) yield Buffer.alloc(100_000, 1)
    }
    Object.assign(disk, full)
    const refused = {
      ...{ name: 'UpstreamError', code: 'output_write_failed', effect: 'none', retryable: true },
      message: expect.stringMatching(/ENOSPC.*make room on that disk/),
    }
    await expect(store.put('new.flac', stream(), { signal })).rejects.toMatchObject(refused)
    Object.assign(disk, full)
    const over = store.put('kept.json', Buffer.alloc(300_000), { signal })
    await expect(over).rejects.toMatchObject(refused)
    Object.assign(disk, full)
    const once = store.put('once.json', Buffer.alloc(300_000), { signal, onlyIfAbsent: true })
    await expect(once).rejects.toMatchObject(refused)
    expect(await keysIn(store)).toEqual(['kept.json'])
    expect((await store.head('kept.json', { signal })).bytes).toBe(6)
    expect(await readdir(join(root, '.tmp'))).toEqual([])
    Object.assign(disk, { bytesFree: Infinity, syncFails: false })
    expect((await store.put('new.flac', stream(), { signal })).kind).toBe('stored')
  })
})

describe('a job whose disk is full', () => {
  let stack: DevStack
  beforeAll(async () => {
    stack = await startDevStack({ queue: { backoffMs: 50, backoffMaxMs: 100, attemptsMax: 50 } })
  })
  afterAll(() => stack?.[Symbol.asyncDispose]())

  it('says so, is tried again, and completes when there is room', async () => {
    const recording = await toneRecording({ folder, seed: 8_801, count: 12 })
    const jobId = await submitTo(stack, 'full.wav', recording.bytes)
    disk.bytesFree = 20_000 // most of the decoded audio
    await stack.startWorker()
    const record = await stack.until(jobId, ({ error }) => error !== null)
    expect(record.error).toMatchObject({ code: 'output_write_failed', retryable: true })
    expect(record.error?.detail).toMatch(/audio\.flac.*ENOSPC.*make room on that disk/)
    expect(await keysIn(stack.ports.store)).toEqual(['in/full.wav', `jobs/${jobId}/job.json`])
    const refusedBefore = disk.refused
    expect(refusedBefore).toBeGreaterThan(0)
    disk.bytesFree = Infinity
    expect(await stack.ended([jobId])).toMatchObject([{ status: 'completed', error: null }])
    expectWords(await transcriptOf(stack, jobId), recording)
  })
})
