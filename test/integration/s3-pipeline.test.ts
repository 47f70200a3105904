import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/kernel/clock.js'
import { systemRandom } from '../../src/kernel/random.js'
import { sourceAddress } from '../../src/pipeline/intake/source-address.js'
import { submitRecording } from '../../src/pipeline/intake/submit-recording.js'
import { readManifest } from '../../src/pipeline/result/commit-result.js'
import { readOutput } from '../../src/pipeline/result/read-output.js'
import { openObjectStore } from '../../src/storage/open-object-store.js'
import { type DevStack, startDevStack } from '../dev-stack.js'
import { type Radosgw, startRadosgw } from '../fakes/radosgw.js'
import { runCli } from '../fakes/run-cli.js'
import { toneRecording } from '../fakes/tone-recording.js'

const signal = new AbortController().signal
const submission = {
  channels: 'mix',
  pace: 'max',
  priority: 0,
  deadlineAt: null,
  tenant: 'default',
} as const
let server: Radosgw
let stack: DevStack
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-s3-'))
  server = await startRadosgw()
  await server.createBucket('meetings')
  const { endpoint, accessKeyId, secretAccessKey } = server
  stack = await startDevStack({
    storage: 's3://meetings/archive',
    s3: { endpoint, accessKeyId, secretAccessKey },
  })
  await stack.startWorker()
})
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
  await server?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

async function wordsOf(jobId: string): Promise<string[]> {
  const manifest = await readManifest(stack.ports.store, jobId, { signal })
  const key = manifest?.outputs.find(({ name }) => name === 'transcript.json')?.key ?? ''
  const stored = JSON.parse((await readOutput(stack.ports, key, { signal })).toString())
  return stored.words.map(({ word }: { word: string }) => word)
}

describe('storage in a bucket', () => {
  it('takes a recording below the prefix and leaves the result there; an m4a with its index at the end', async () => {
    const encode = { ending: 'm4a', args: ['-c:a', 'aac', '-b:a', '48k'] }
    const recording = await toneRecording({ folder, seed: 700, count: 12, encode })
    await stack.ports.store.put('in/a.m4a', recording.bytes, { signal })
    const address = sourceAddress(stack.ports.store, 'in/a.m4a')
    expect(address).toEqual({ bucket: 'meetings', key: 'archive/in/a.m4a' })
    const { jobId } = await submitRecording(stack.ports, { ...address, ...submission }, { signal })
    expect(await stack.ended([jobId])).toMatchObject([{ status: 'completed', error: null }])
    expect(await wordsOf(jobId)).toEqual(recording.words[0]?.map(({ text }) => text))
    const manifest = await readManifest(stack.ports.store, jobId, { signal })
    expect(manifest?.source).toMatchObject({ bucket: 'meetings', key: 'archive/in/a.m4a' })
  })

  it('takes a whole prefix of another bucket from the command line', async () => {
    await server.createBucket('elsewhere')
    const { endpoint, accessKeyId, secretAccessKey } = server
    const access = { ...stack.settings, storage: 's3://elsewhere', s3: stack.settings.s3 }
    const ports = { clock: systemClock(), random: systemRandom() }
    const store = await openObjectStore(access, ports)
    for (const seed of [710, 711]) {
      const { bytes } = await toneRecording({ folder, seed, count: 4 })
      await store.put(`monday/${seed}.wav`, bytes, { signal })
    }
    await store.put('monday/notes.txt', Buffer.from('no recording'), { signal })
    const env = {
      NIGHTSCRIBE_STORAGE: 's3://meetings/archive',
      NIGHTSCRIBE_S3_ENDPOINT: endpoint,
      NIGHTSCRIBE_S3_ACCESS_KEY_ID: accessKeyId,
      NIGHTSCRIBE_S3_SECRET_ACCESS_KEY: secretAccessKey,
      NIGHTSCRIBE_REDIS_URL: stack.redis.url,
    }
    const run = await runCli(['submit', 's3://elsewhere/monday/', '--pace', 'max', '--json'], {
      env,
    })
    const { jobs } = JSON.parse(run.out)
    expect(jobs.map(({ name }: { name: string }) => name)).toEqual([
      's3://elsewhere/monday/710.wav',
      's3://elsewhere/monday/711.wav',
    ])
    const records = await stack.ended(jobs.map(({ job_id: id }: { job_id: string }) => id))
    expect(records.map(({ status }) => status)).toEqual(['completed', 'completed'])
    expect(run.err + run.out).not.toContain(secretAccessKey)
  })

  it('refuses what it may not read, naming the object', async () => {
    const other = await server.addUser('stranger')
    const ports = { clock: systemClock(), random: systemRandom() }
    const s3 = { ...stack.settings.s3, ...other }
    const theirs = await openObjectStore({ ...stack.settings, storage: 's3://meetings', s3 }, ports)
    const refused = submitRecording(
      { ...stack.ports, sourceStore: async () => theirs },
      { bucket: 'meetings', key: 'archive/in/a.m4a', ...submission },
      { signal },
    )
    const error = await refused.catch((thrown) => thrown)
    expect(error.code).toMatch(/^(input_forbidden|config_invalid)$/)
    expect(error.message).toContain('meetings')
  })
})
