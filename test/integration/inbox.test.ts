import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { WaitingList } from '../../src/admission/index.js'
import { systemClock } from '../../src/kernel/clock.js'
import { StopRequested } from '../../src/kernel/errors.js'
import { systemRandom } from '../../src/kernel/random.js'
import type { IntakePorts } from '../../src/pipeline/index.js'
import { watchInbox } from '../../src/pipeline/intake/inbox.js'
import type { JobQueue, JobRecord, JobStore } from '../../src/queue/index.js'
import { openFolderStore } from '../../src/storage/folder/folder-object-store.js'
import { StepClock } from '../fakes/step-clock.js'

const SETTLE_MS = 5_000
const SCAN_MS = 1_000

/** A folder, a clock that the test moves, and a queue that only notes. */
async function newInbox() {
  const root = await mkdtemp(join(tmpdir(), 'nightscribe-inbox-'))
  const store = await openFolderStore({ root, clock: systemClock(), random: systemRandom() })
  const clock = new StepClock()
  const records = new Map<string, JobRecord>()
  const queued: string[] = []
  const jobStore: Partial<JobStore> = {
    create: async (record) => void records.set(record.jobId, record),
    get: async (jobId) => records.get(jobId) ?? null,
    appendHistory: async () => {},
  }
  const queue: Partial<JobQueue> = {
    enqueue: async (_stage, jobId) => void queued.push(jobId),
    has: async (jobId) => queued.includes(jobId),
  }
  const waiting: Partial<WaitingList> = {}
  const sourceStore = async () => store
  const ports = { store, jobStore, queue, waiting, clock, sourceStore } as IntakePorts
  const stop = new AbortController()
  const submitted: string[] = []
  const refused: string[] = []
  let failure: unknown = null
  const watching = watchInbox(ports, {
    settleMs: SETTLE_MS,
    pace: 'max',
    scanIntervalMs: SCAN_MS,
    signal: stop.signal,
    onSubmitted: (name) => submitted.push(name),
    onRefused: (name, sentence) => refused.push(`${name}: ${sentence}`),
  }).catch((reason) => {
    failure = reason
  })
  const asleep = async () => {
    while (clock.sleeping === 0) {
      if (failure !== null) throw failure
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  /** Moves on scan by scan; each is over when the watcher sleeps again. */
  const pass = async (durationMs: number) => {
    for (let passedMs = 0; passedMs < durationMs; passedMs += SCAN_MS) {
      await asleep()
      await clock.advance(SCAN_MS)
      await asleep()
    }
  }
  const close = async () => {
    stop.abort(new StopRequested('canceled', 'enough'))
    await watching
    await rm(root, { recursive: true, force: true })
  }
  return { store, submitted, refused, queued, pass, close }
}

const signal = new AbortController().signal

describe('the inbox', () => {
  it('takes a recording once it has been unchanged for the settle time, and only once', async () => {
    const { store, submitted, queued, pass, close } = await newInbox()
    await store.put('inbox/a.wav', Buffer.from('one'), { signal })
    await pass(SETTLE_MS - SCAN_MS)
    expect(submitted).toEqual([])
    await store.put('inbox/a.wav', Buffer.from('one and more'), { signal }) // still being copied
    await pass(SETTLE_MS - SCAN_MS)
    expect(submitted).toEqual([])
    await pass(2 * SETTLE_MS)
    expect(submitted).toEqual(['a.wav'])
    await store.put('inbox/a.wav', Buffer.from('another meeting'), { signal })
    await pass(2 * SETTLE_MS)
    expect(submitted).toEqual(['a.wav', 'a.wav'])
    expect(new Set(queued).size).toBe(2)
    await close()
  })

  it('says why it refuses one, and goes on with the others', async () => {
    const { store, submitted, refused, pass, close } = await newInbox()
    await store.put('inbox/empty.wav', Buffer.alloc(0), { signal })
    await store.put('inbox/good.wav', Buffer.from('sound'), { signal })
    await pass(2 * SETTLE_MS)
    expect(submitted).toEqual(['good.wav'])
    expect(refused).toHaveLength(1)
    expect(refused[0]).toMatch(/^empty\.wav: .*\[media_corrupt\]$/)
    await close()
  })
})
