import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { jobReport } from '../../src/cli/jobs/job-report.js'
import { sourceAddress } from '../../src/pipeline/intake/source-address.js'
import { submitRecording } from '../../src/pipeline/intake/submit-recording.js'
import { cancelJob, retryFailedJobs, retryJob } from '../../src/pipeline/lifecycle/end-job.js'
import { readFailure } from '../../src/pipeline/lifecycle/failure-record.js'
import { reconcileJobs } from '../../src/pipeline/lifecycle/reconcile-jobs.js'
import { recordOfJob } from '../../src/pipeline/lifecycle/record-of-job.js'
import { audioKey } from '../../src/storage/keys.js'
import { type DevStack, startDevStack } from '../dev-stack.js'
import { runCli } from '../fakes/run-cli.js'
import { phrases, toneRecording } from '../fakes/tone-recording.js'
import { expectContiguous, expectWords, outputOf, transcriptOf } from '../job-results.js'

const signal = new AbortController().signal
/** Sessions break after 4 s of audio: short recordings never get there, long ones always do. */
const BREAKS_LONG_ONES = [{ kind: 'drop', afterDeltas: 50 }] as const
const ATTEMPTS_MAX = 2
const settings = { queue: { backoffMs: 10, backoffMaxMs: 20, attemptsMax: ATTEMPTS_MAX } }
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-dead-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function submit(stack: DevStack, name: string, bytes: Buffer): Promise<string> {
  const key = `in/${name}`
  await stack.ports.store.put(key, bytes, { signal })
  const address = sourceAddress(stack.ports.store, key)
  const options = {
    channels: 'mix',
    pace: 'max',
    priority: 0,
    deadlineAt: null,
    tenant: 'default',
  } as const
  return (await submitRecording(stack.ports, { ...address, ...options }, { signal })).jobId
}

const tones = async (seed: number, count: number) => {
  return (await toneRecording({ folder, seed, count })).bytes
}

async function keysOf(stack: DevStack, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of stack.ports.store.list(prefix, { signal })) keys.push(key)
  return keys
}

async function story(stack: DevStack, jobId: string): Promise<string> {
  const found = await recordOfJob(stack.ports, jobId, { signal })
  if (!found) throw new Error(`there is no job ${jobId}`)
  const history = await stack.ports.jobStore.history(jobId, { signal })
  return jobReport({ ...found, history }, { location: 'x', nowMs: Date.now() }).join('\n')
}

const kinds = async (stack: DevStack, jobId: string) => {
  return (await stack.ports.jobStore.history(jobId, { signal })).map(({ entry }) => entry.kind)
}

function cli(stack: DevStack, ...args: string[]) {
  const env = {
    NIGHTSCRIBE_STORAGE: stack.settings.storage,
    NIGHTSCRIBE_STATE_DIR: stack.settings.stateDir,
    NIGHTSCRIBE_REDIS_URL: stack.redis.url,
    NIGHTSCRIBE_ENGINES: stack.standin.url,
    NIGHTSCRIBE_ENGINE_KEY: 'k',
  }
  return runCli(args, { env, cwd: folder })
}

describe('a batch in which some recordings can not be carried', () => {
  it('ends: the good ones are done, a damaged one was tried once, and what the engine broke is a dead letter that a retry finishes', async () => {
    await using stack = await startDevStack(settings, { faults: BREAKS_LONG_ONES })
    const good = [await submit(stack, 'a.wav', await tones(1, 4))]
    const bad = await submit(stack, 'bad.mp3', Buffer.from('no sound at all '.repeat(200)))
    const dead = await submit(stack, 'long.wav', await tones(2, 24))
    good.push(await submit(stack, 'b.wav', await tones(3, 4)))
    await stack.startWorker()
    const records = await stack.ended([...good, bad, dead])
    expect(records.map(({ status }) => status)).toEqual([
      ...['completed', 'completed'],
      ...['failed', 'failed'],
    ])

    // The recording's fault: once, and nothing that a retry alone would help.
    expect(records[2]).toMatchObject({ error: { retryable: false }, failuresSinceProgress: 1 })
    expect(await kinds(stack, bad)).toEqual(['submitted', 'failed'])

    // The engine's fault: so many tries, and then it waits for a person.
    const error = { code: 'engine_crashed', retryable: true, stage: 'transcribe' }
    expect(records[3]).toMatchObject({ error, attempt: ATTEMPTS_MAX })
    expect(await readFailure(stack.ports.store, dead, { signal })).toMatchObject({
      ...{ status: 'failed', code: 'engine_crashed', stage: 'transcribe', fence: ATTEMPTS_MAX },
      ...{ tries: ATTEMPTS_MAX, retryable: true, retry_helps: true },
      advice: expect.stringContaining(`nightscribe jobs retry ${dead}`),
    })
    expect(await keysOf(stack, audioKey(dead))).toEqual([audioKey(dead)])
    expect(await reconcileJobs(stack.ports, { signal })).toEqual([])

    stack.standin.setFaults([])
    expect(await retryFailedJobs(stack.ports, { signal })).toEqual({ started: [dead], left: [bad] })
    const [mended] = await stack.ended([dead])
    expect(mended).toMatchObject({ status: 'completed', error: null, attempt: ATTEMPTS_MAX + 1 })
    expect(await kinds(stack, dead)).toEqual(expect.arrayContaining(['failed', 'retried']))
    expect(await retryFailedJobs(stack.ports, { signal })).toEqual({ started: [], left: [bad] })
  })

  it('ends after a checkpoint, and a retry sends nothing again of what was before it', async () => {
    // Phrases of 4 s, which a session of 6.4 s always gets to the end of; then 9 s without a pause.
    const settledMs = 4 * (8 * 400 + 1_000)
    const pauseBeforeMs = (index: number) => (index <= 32 ? phrases(8)(index) : 0)
    const wanted = await toneRecording({ folder, seed: 5, count: 54, pauseBeforeMs })
    const faults = [{ kind: 'drop', afterDeltas: 80 }] as const
    await using stack = await startDevStack(settings, { faults })
    const dead = await submit(stack, 'tail.wav', wanted.bytes)
    await stack.startWorker()
    const [failed] = await stack.ended([dead])
    expect(failed).toMatchObject({ status: 'failed', error: { code: 'engine_crashed' } })
    const safeMs = failed?.checkpointedAudioMs ?? 0
    expect(safeMs).toBeGreaterThan(settledMs - 1_000)
    expect(await story(stack, dead)).toMatch(/A retry goes on after 0:1\d of audio\./)

    // Also where Redis has forgotten all of it: the checkpoint lies in storage.
    const forgotten = ['job', 'history', 'fence'].map((kind) => `nightscribe:${kind}:${dead}`)
    await stack.ports.redis.del(...forgotten)
    const before = stack.standin.stats.generationTokens
    stack.standin.setFaults([])
    await retryJob(stack.ports, dead, { signal })
    await stack.ended([dead])
    const stored = await transcriptOf(stack, dead)
    expectWords(stored, wanted)
    expectContiguous(stored, wanted)
    const { resumed_from_ms: from } = JSON.parse(await outputOf(stack, dead, 'metrics.json'))
    expect(from.at(-1)).toBe(safeMs)
    const paddingSteps = 11
    const sentMs = (stack.standin.stats.generationTokens - before - paddingSteps) * 80
    expect(sentMs - (wanted.durationMs - safeMs)).toBeLessThanOrEqual(80)
    expect(await story(stack, dead)).toMatch(/attempt 3 went on after 0:1\d of audio, on /)
  })

  it('is told by the commands, and mended by one of them', async () => {
    await using stack = await startDevStack(settings, { faults: BREAKS_LONG_ONES })
    const dead = await submit(stack, 'long.wav', await tones(2, 24))
    await stack.startWorker()
    await stack.ended([dead])
    const listed = await cli(stack, 'jobs')
    expect(listed.out).toContain('failed: engine_crashed')
    expect(listed.err).toContain('`nightscribe jobs retry --failed`')
    const { out } = await cli(stack, 'jobs', 'show', dead)
    const host = new URL(stack.standin.url).host
    expect(out).toMatch(new RegExp(`attempt 1 began, on ${host}\\n`))
    expect(out).toMatch(/failed: .+ \[engine_crashed\] To be tried again after 1 s\n/)
    expect(out).toMatch(/gave up after 2 failures without progress: .+ \[engine_crashed\]\n/)
    expect(out).toContain(`then \`nightscribe jobs retry ${dead}\`.`)
    stack.standin.setFaults([])
    expect((await cli(stack, 'jobs', 'retry', '--failed')).out).toContain(dead)
    expect(await stack.ended([dead])).toMatchObject([{ status: 'completed' }])
    expect(await story(stack, dead)).toMatch(/started again by hand\n[\s\S]*done\n/)
  })
})

describe('what Redis has forgotten', () => {
  it('is found behind documents that nobody can read', async () => {
    await using stack = await startDevStack(settings)
    const jobId = await submit(stack, 'a.wav', await tones(5, 4))
    await stack.ports.redis.flushall()
    const broken = '0'.repeat(jobId.length)
    for (const folder of ['acme', broken]) {
      const body = Buffer.from('{"of":"somebody else"}')
      await stack.ports.store.put(`jobs/${folder}/job.json`, body, { signal })
    }
    const unreadable: string[] = []
    const onUnreadable = (error: Error) => unreadable.push(error.message)
    expect(await reconcileJobs(stack.ports, { signal, onUnreadable })).toEqual([jobId])
    expect(unreadable).toEqual([expect.stringContaining(broken)])
  })

  it('and was canceled meanwhile stays so', async () => {
    await using stack = await startDevStack(settings)
    const jobId = await submit(stack, 'a.wav', await tones(5, 4))
    await stack.ports.queue.remove(jobId, { signal })
    expect(await cancelJob(stack.ports, jobId, { signal })).toBe('canceled')
    expect(await reconcileJobs(stack.ports, { signal })).toEqual([])
    expect(await stack.ports.jobStore.get(jobId, { signal })).toMatchObject({ status: 'canceled' })
  })

  it('is told from storage: done, failed or canceled; and nothing of it runs unasked', async () => {
    await using stack = await startDevStack(settings, { faults: BREAKS_LONG_ONES })
    const canceled = await submit(stack, 'c.wav', await tones(4, 4))
    await cancelJob(stack.ports, canceled, { signal })
    const done = await submit(stack, 'a.wav', await tones(1, 4))
    const dead = await submit(stack, 'long.wav', await tones(2, 24))
    const worker = await stack.startWorker()
    await stack.ended([done, dead])
    await worker.drain()
    await stack.ports.redis.flushall()
    expect(await reconcileJobs(stack.ports, { signal })).toEqual([])
    expect(await story(stack, done)).toMatch(/is done\.[\s\S]*transcript\.json/)
    expect(await story(stack, canceled)).toMatch(/was canceled\./)
    expect(await story(stack, dead)).toMatch(/has failed\.[\s\S]*\[engine_crashed\]/)
    stack.standin.setFaults([])
    await stack.startWorker()
    await retryJob(stack.ports, dead, { signal })
    expect(await stack.ended([dead])).toMatchObject([
      { status: 'completed', attempt: ATTEMPTS_MAX + 1 },
    ])
    expect(await stack.ports.jobStore.get(canceled, { signal })).toBeNull()
  })
})
