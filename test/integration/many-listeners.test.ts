import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStandin } from '../../gpu/standin/server.js'
import { CleanupStack } from '../../src/kernel/cleanup-stack.js'
import { startDevStack } from '../dev-stack.js'
import { OPEN } from '../fakes/open-signal.js'
import { createSilentFactory } from '../fakes/silent-recognizer.js'
import { phrases, toneRecording } from '../fakes/tone-recording.js'
import { submitTo } from '../job-results.js'

/** More than Node takes for a leak by default. */
const MANY = 12
const CHANNELS = 8

let folder: string
const warnings: Error[] = []
const onWarning = (warning: Error) => void warnings.push(warning)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-listeners-'))
  process.on('warning', onWarning)
})
afterAll(async () => {
  process.off('warning', onWarning)
  await rm(folder, { recursive: true, force: true })
})

describe('a worker with many engines, lanes and jobs', () => {
  it('draws no warning of a leak of listeners, also when it hands them back', async () => {
    await using cleanup = new CleanupStack()
    const stack = cleanup.use(await startDevStack())
    const engines: string[] = []
    for (let count = 0; count < MANY; count += 1) {
      const standin = await startStandin({ key: 'k', recognizer: createSilentFactory() })
      cleanup.defer(() => standin.close())
      engines.push(standin.url)
    }
    const worker = await stack.startWorker({ engines })
    const letGo = await stack.holdTranscriptions()
    const pauseBeforeMs = phrases(10)
    const { bytes } = await toneRecording({ folder, seed: 1, count: 100, pauseBeforeMs })
    const options = { folder, seed: 2, count: 100, pauseBeforeMs }
    const wide = await toneRecording({ ...options, channels: CHANNELS })
    const jobIds = [await submitTo(stack, 'wide.wav', wide.bytes, { channels: 'split', pace: 1 })]
    for (let count = 0; count < MANY; count += 1) {
      jobIds.push(await submitTo(stack, `${count}.wav`, bytes, { pace: 1 }))
    }
    for (const jobId of jobIds) await stack.until(jobId, ({ status }) => status === 'queued')
    await letGo()
    for (const jobId of jobIds) await stack.until(jobId, ({ status }) => status === 'running')
    await worker.drain()
    const records = await Promise.all(jobIds.map((jobId) => stack.ports.jobStore.get(jobId, OPEN)))
    expect(new Set(records.map((record) => record?.status))).toEqual(new Set(['queued']))
    expect(warnings.map(({ message }) => message)).toEqual([])
  })
})
