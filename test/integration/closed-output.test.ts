import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DevStack, startDevStack } from '../dev-stack.js'
import { runCli } from '../fakes/run-cli.js'
import { toneRecording } from '../fakes/tone-recording.js'
import { submitTo } from '../job-results.js'

let folder: string
let stack: DevStack
let jobId: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-pipes-'))
  stack = await startDevStack()
  await stack.startWorker()
  const { bytes } = await toneRecording({ folder, seed: 1, count: 4 })
  jobId = await submitTo(stack, 'a.wav', bytes, { pace: 'max' })
  await stack.ended([jobId])
  await writeFile(join(folder, 'a.wav'), bytes)
  await writeFile(join(folder, 'night.csv'), 'a,60\nb,60\n')
  await runCli(['--version']) // set-up says here, and not below, what it does
})
afterAll(async () => {
  await stack[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

function run(args: readonly string[], unread: 'stdout' | 'stderr') {
  const env = {
    NIGHTSCRIBE_STORAGE: stack.settings.storage,
    NIGHTSCRIBE_STATE_DIR: stack.settings.stateDir,
    NIGHTSCRIBE_REDIS_URL: stack.redis.url,
    NIGHTSCRIBE_ENGINES: stack.standin.url,
    NIGHTSCRIBE_ENGINE_KEY: 'k',
  }
  return runCli(args, { env, cwd: folder, unread })
}

// As with `nightscribe jobs | head`.
describe('a command whose stdout nobody reads', () => {
  it.each([
    { args: ['jobs'] },
    { args: ['jobs', '--json'] },
    { args: ['jobs', 'logs', '<job>'] },
    { args: ['plan', '--csv', 'night.csv', '--gpu', 'l4', '--json'] },
    { args: ['doctor'] },
    { args: ['--help'] },
  ])('ends quietly, with exit code 0: $args', async ({ args }) => {
    const words = args.map((word) => (word === '<job>' ? jobId : word))
    expect(await run(words, 'stdout')).toMatchObject({ code: 0, err: '' })
  })

  it('keeps the exit code of what was wrong before anything was written', async () => {
    const failed = await run(['jobs', 'show', 'nosuchjob'], 'stdout')
    expect(failed.code).toBe(1)
    expect(failed.err).toMatch(/^There is no job nosuchjob;.*\n$/)
  })
})

describe('a command whose stderr nobody reads', () => {
  it('does what it is for all the same', async () => {
    const done = await run(['transcribe', 'a.wav', '--pace', 'max', '--json'], 'stderr')
    expect(done.code).toBe(0)
    expect(JSON.parse(done.out).results).toMatchObject([{ name: 'a.wav', status: 'completed' }])
  })

  it('ends with the exit code of what was wrong', async () => {
    const failed = await run(['jobs', 'show', 'nosuchjob'], 'stderr')
    expect(failed).toMatchObject({ code: 1, out: '' })
  })
})
