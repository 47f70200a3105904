import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ownSpoolName } from '../../src/media/spool/spool-folders.js'
import { sourceAddress } from '../../src/pipeline/intake/source-address.js'
import { submitRecording } from '../../src/pipeline/intake/submit-recording.js'
import { silentFlac } from '../corpus/silent-flac.js'
import { wav } from '../corpus/wav-bytes.js'
import { type DevStack, startDevStack } from '../dev-stack.js'
import { submitTo } from '../job-results.js'

const DURATION_MAX_MS = 20_000
const SOURCE_BYTES_MAX = 100_000
let stack: DevStack

beforeAll(async () => {
  const media = { durationMaxMs: DURATION_MAX_MS, sourceBytesMax: SOURCE_BYTES_MAX }
  stack = await startDevStack({ media })
  await stack.startWorker()
})
afterAll(() => stack[Symbol.asyncDispose]())

describe('a recording that is more than the settings allow', () => {
  const large = wav({ samples: new Int16Array(SOURCE_BYTES_MAX) })
  it.each([
    ['more audio', 'long.flac', silentFlac(1), 'media_too_long', 'media.durationMaxMs'],
    ['more bytes', 'large.wav', large, 'media_too_large', 'media.sourceBytesMax'],
  ])('%s: fails for good and names the setting', async (_, name, bytes, code, setting) => {
    const [record] = await stack.ended([await submitTo(stack, name, bytes)])
    expect(record).toMatchObject({ status: 'failed', error: { code, retryable: false } })
    expect(record?.error?.detail).toContain(name)
    expect(record?.error?.detail).toContain(setting)
    const spool = join(stack.settings.stateDir, 'spool', ownSpoolName())
    expect(await readdir(spool)).toEqual([])
  })
})

it('an object that is not there is refused at once', async () => {
  const { ports } = stack
  const { signal } = new AbortController()
  const options = {
    channels: 'mix',
    pace: 'max',
    priority: 0,
    deadlineAt: null,
    tenant: 'default',
  } as const
  const address = sourceAddress(ports.store, 'in/nowhere.wav')
  await expect(
    submitRecording(ports, { ...address, ...options }, { signal }),
  ).rejects.toMatchObject({
    code: 'input_not_found',
    message: expect.stringContaining('in/nowhere.wav'),
  })
})
