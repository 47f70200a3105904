import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DevStack, startDevStack } from '../dev-stack.js'
import { OPEN } from '../fakes/open-signal.js'
import { type CliRun, runCli } from '../fakes/run-cli.js'
import { toneRecording } from '../fakes/tone-recording.js'

let folder: string
let stack: DevStack

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-cli-'))
  stack = await startDevStack()
  await stack.startWorker()
})
afterAll(async () => {
  await stack[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

function environment(changes: Record<string, string> = {}): Record<string, string> {
  return {
    NIGHTSCRIBE_STORAGE: stack.settings.storage,
    NIGHTSCRIBE_STATE_DIR: stack.settings.stateDir,
    NIGHTSCRIBE_REDIS_URL: stack.redis.url,
    NIGHTSCRIBE_ENGINES: stack.standin.url,
    NIGHTSCRIBE_ENGINE_KEY: 'k',
    ...changes,
  }
}

const cli = (...args: string[]) => runCli(args, { env: environment(), cwd: folder })

async function tones(name: string, seed: number, count = 6): Promise<string[]> {
  const { bytes, words } = await toneRecording({ folder, seed, count })
  await writeFile(join(folder, name), bytes)
  return (words[0] ?? []).map(({ text }) => text)
}

function oneSentence({ err }: CliRun): string {
  const lines = err.trim().split('\n')
  expect(lines).toHaveLength(1)
  expect(err).not.toMatch(/\n\s+at /)
  return lines[0] ?? ''
}

describe('transcribe', () => {
  it('prints the transcript alone on stdout and progress on stderr', async () => {
    const words = await tones('one.wav', 1)
    const run = await cli('transcribe', 'one.wav', '--pace', 'max')
    expect(run.code).toBe(0)
    expect(run.out.split(/\s+/).filter(Boolean)).toEqual(words)
    expect(run.err).toContain('one.wav: done')
    expect(run.err + run.out).not.toContain('\u001b')
  })

  it('takes a recording from standard input, and prints its text while it comes', async () => {
    const words = await tones('piped.wav', 21, 20)
    const stdin = await readFile(join(folder, 'piped.wav'))
    const follow = ['transcribe', '-', '--follow', '--pace', '4']
    const run = await runCli(follow, { env: environment(), cwd: folder, stdin })
    expect(run).toMatchObject({ code: 0, err: '' })
    const lines = run.out.trim().split('\n')
    for (const line of lines) expect(line).toMatch(/^\d+:\d\d {2}\S/)
    expect(lines.flatMap((line) => line.split(/\s+/).slice(1))).toEqual(words)
    // Its job is done, and what it said is still told.
    const args = ['transcribe', '-', '--out', '-', '--json', '--follow']
    const again = await runCli(args, { env: environment(), cwd: folder, stdin })
    const { results } = JSON.parse(again.out)
    expect(results).toMatchObject([{ name: 'standard-input', status: 'completed' }])
    expect(results[0].text.split(/\s+/).filter(Boolean)).toEqual(words)
    expect(again.err).toBe(run.out)
    const empty = await runCli(['transcribe', '-'], {
      ...{ env: environment(), cwd: folder, stdin: new Uint8Array() },
    })
    expect(empty.code).toBe(1)
    expect(oneSentence(empty)).toContain('Standard input is empty (0 bytes).')
  })

  it('prints one JSON document with --json, also for what failed', async () => {
    const words = await tones('two.wav', 2)
    await writeFile(join(folder, 'broken.mp3'), 'this is text, not sound\n'.repeat(50))
    const run = await cli(
      'transcribe',
      'two.wav',
      'broken.mp3',
      'nowhere.wav',
      '--json',
      '--pace',
      'max',
    )
    expect(run.code).toBe(0)
    const { results } = JSON.parse(run.out)
    expect(results).toMatchObject([
      { name: 'two.wav', status: 'completed', error: null, engine_is_standin: true },
      { name: 'broken.mp3', status: 'failed' },
      { name: 'nowhere.wav', status: 'failed', error: { code: 'input_not_found' } },
    ])
    expect(results[0].text.split(/\s+/).filter(Boolean)).toEqual(words)
    expect(results[1].error.detail).toContain('broken.mp3')
  })

  it('goes on after a bucket that it has no credentials for, and says so by its exit code', async () => {
    const words = await tones('after.wav', 22)
    const env = { ...environment(), HOME: folder, AWS_EC2_METADATA_DISABLED: 'true' }
    const foreign = 's3://elsewhere/meeting.mp3'
    const transcribe = (...args: string[]) => runCli(['transcribe', ...args], { env, cwd: folder })
    const run = await transcribe(foreign, 'after.wav', '--pace', 'max')
    expect(run.code).toBe(2)
    expect(run.err).toMatch(/^s3:\/\/elsewhere\/meeting\.mp3: .*ACCESS_KEY.*\[config_invalid\]$/m)
    expect(run.out.split(/\s+/).filter(Boolean)).toEqual(['==', 'after.wav', ...words])
    const alone = await transcribe(foreign)
    expect(alone).toMatchObject({ code: 2, out: '' })
    expect(oneSentence(alone)).toContain('[config_invalid]')
  })

  it('saves every format of a folder of recordings with --out', async () => {
    const source = join(folder, 'night')
    await mkdir(source)
    for (const [index, name] of ['a.wav', 'b.wav'].entries()) {
      const { bytes } = await toneRecording({ folder, seed: 10 + index, count: 4 })
      await writeFile(join(source, name), bytes)
    }
    await writeFile(join(source, 'notes.txt'), 'not a recording')
    const run = await cli('transcribe', 'night', '--out', 'texts', '--pace', 'max')
    expect(run.code).toBe(0)
    const endings = ['json', 'metrics.json', 'srt', 'tsv', 'txt', 'vtt']
    const wanted = ['a', 'b'].flatMap((base) => endings.map((ending) => `${base}.${ending}`))
    expect((await readdir(join(folder, 'texts'))).sort()).toEqual(wanted)
    // Another recording of the same name takes nothing's place.
    const text = await readFile(join(folder, 'texts', 'a.txt'), 'utf8')
    const { bytes } = await toneRecording({ folder, seed: 20, count: 5 })
    await mkdir(join(folder, 'other'))
    await writeFile(join(folder, 'other', 'a.wav'), bytes)
    expect(await cli('transcribe', 'other', '--out', 'texts', '--pace', 'max')).toMatchObject({
      code: 0,
    })
    expect(await readFile(join(folder, 'texts', 'a.txt'), 'utf8')).toBe(text)
    expect(await readdir(join(folder, 'texts'))).toHaveLength(wanted.length + endings.length)
  })

  it('refuses an --out that is no folder before anything is transcribed', async () => {
    await tones('early.wav', 21)
    await writeFile(join(folder, 'file'), '')
    const run = await cli('transcribe', 'early.wav', '--out', 'file', '--json')
    expect(run).toMatchObject({ code: 2, out: '' })
    expect(run.err).toContain('--out')
    expect((await cli('jobs')).out).not.toContain('early.wav')
  })

  it.each([
    ['0 bytes', 'empty.wav', Buffer.alloc(0), 'media_corrupt'],
    ['text named .mp3', 'text.mp3', Buffer.from('hello '.repeat(100)), ''],
    ['nothing of that name', 'missing.wav', null, 'input_not_found'],
  ])('%s: exit 1 and one sentence with the name and the code', async (_, name, bytes, code) => {
    if (bytes) await writeFile(join(folder, name), bytes)
    const run = await cli('transcribe', name, '--pace', 'max')
    expect(run).toMatchObject({ code: 1, out: '' })
    const last = run.err.trim().split('\n').at(-1) ?? ''
    expect(last).toContain(name)
    expect(last).toMatch(new RegExp(`\\[${code || '[a-z_]+'}\\]$`))
  })
})

describe('jobs', () => {
  it('submits, shows, and answers the same recording with the same job', async () => {
    await tones('three.wav', 20)
    const first = await cli('submit', 'three.wav', '--priority', '5', '--pace', 'max', '--json')
    const [{ job_id: id, state }] = JSON.parse(first.out).jobs
    expect(state).toBe('queued')
    await stack.ended([id])
    const again = await cli('submit', 'three.wav')
    expect(again.out).toContain(`${id}  done`)
    const shown = await cli('jobs', 'show', id)
    expect(shown.out).toContain('is done.')
    expect(shown.out).toContain(`a1/transcript.txt`)
    expect(shown.out).toContain('stand-in')
    expect((await cli('jobs')).out).toContain(id)
    expect((await cli('jobs', 'logs', id)).out).toMatch(/^\d\d:\d\d:\d\d {2}completed$/m)
    expect((await cli('jobs', 'cancel', id)).out).toContain('had ended before')
  })

  it('explains a failed job, and retries it', async () => {
    await writeFile(join(folder, 'bad.mp3'), 'no sound at all '.repeat(200))
    const { out } = await cli('submit', 'bad.mp3', '--json')
    const [{ job_id: id }] = JSON.parse(out).jobs
    await stack.ended([id])
    const shown = await cli('jobs', 'show', id)
    expect(shown.out).toContain('has failed.')
    expect(shown.out).toMatch(/submit it again\./)
    expect(await cli('jobs', 'retry', id)).toMatchObject({ code: 0 })
    expect(await stack.ended([id])).toMatchObject([{ status: 'failed' }])
  })

  it.each([['show'], ['cancel'], ['retry'], ['logs']])(
    '%s of an unknown job is one sentence',
    async (verb) => {
      const run = await cli('jobs', verb, 'nosuchjob')
      expect(run.code).toBe(1)
      expect(oneSentence(run)).toMatch(/nosuchjob.*\[job_not_found\]/)
    },
  )
})

describe('a command that can not start', () => {
  it.each([
    ['an unknown setting', { NIGHTSCRIBE_ENGIN_KEY: 'x' }, 2, /NIGHTSCRIBE_ENGINE_KEY/],
    [
      'a Redis that is not there',
      { NIGHTSCRIBE_REDIS_URL: 'redis://127.0.0.1:1' },
      75,
      /redis:\/\/127\.0\.0\.1:1.*NIGHTSCRIBE_REDIS_URL.*\[queue_unavailable\]/,
    ],
    [
      'an S3 endpoint that is not there',
      {
        NIGHTSCRIBE_STORAGE: 's3://bucket/x',
        NIGHTSCRIBE_S3_ENDPOINT: 'http://127.0.0.1:1',
        NIGHTSCRIBE_S3_ACCESS_KEY_ID: 'a',
        NIGHTSCRIBE_S3_SECRET_ACCESS_KEY: 'b',
      },
      null,
      /127\.0\.0\.1:1|NIGHTSCRIBE_S3_ENDPOINT/,
    ],
  ])('%s', async (_, changes, code, sentence) => {
    await tones('four.wav', 30)
    const run = await runCli(['submit', 'four.wav'], { env: environment(changes), cwd: folder })
    if (code === null) expect(run.code).not.toBe(0)
    else expect(run.code).toBe(code)
    expect(run.err).toMatch(sentence)
    expect(run.err).not.toMatch(/\n\s+at /)
  })

  it.each([
    [
      { NIGHTSCRIBE_ENGINES: 'ws://127.0.0.1:1/v1/realtime' },
      75,
      /ws:\/\/127\.0\.0\.1:1.*\[engine_unavailable\]/,
    ],
    [{ NIGHTSCRIBE_ENGINE_KEY: 'wrong' }, 2, /NIGHTSCRIBE_ENGINE_KEY.*\[engine_unauthorized\]/],
    [{ NIGHTSCRIBE_ENGINE_MODEL: 'other' }, 2, /engine\.model.*\[engine_model_missing\]/],
  ])('worker with %j', async (changes, code, sentence) => {
    const run = await runCli(['worker'], { env: environment(changes), cwd: folder })
    expect(run.code).toBe(code)
    expect(oneSentence(run)).toMatch(sentence)
  })

  it('worker without an engine, and a wrong option, say what to do', async () => {
    const bare = environment()
    const run = await runCli(['worker'], { env: { ...bare, NIGHTSCRIBE_ENGINES: '' }, cwd: folder })
    expect(run.code).toBe(2)
    expect(oneSentence(run)).toContain('NIGHTSCRIBE_ENGINES')
    const option = await cli('submit', 'x.wav', '--pace', 'fast')
    expect(option.code).toBe(1)
    expect(oneSentence(option)).toContain('--pace takes a number')
  })

  it('doctor names what is wrong, and shows no key', async () => {
    const good = await cli('doctor', '--json')
    expect(good.code).toBe(0)
    const { findings } = JSON.parse(good.out)
    expect(findings.map(({ what }: { what: string }) => what)).toContain('ffmpeg')
    const env = environment({
      NIGHTSCRIBE_ENGINES: 'ws://127.0.0.1:1/v1/realtime',
      NIGHTSCRIBE_ENGINE_KEY: 'hushhush',
    })
    const bad = await runCli(['doctor'], { env, cwd: folder })
    expect(bad.code).toBe(2)
    expect(bad.out).toMatch(/wrong +engine/)
    expect(bad.out + bad.err).not.toContain('hushhush')
  })
})

describe('stopping', () => {
  it('Ctrl+C ends transcribe with 130; the job goes on', async () => {
    await tones('five.wav', 40, 30) // takes 4 s
    const run = await runCli(['transcribe', 'five.wav', '--pace', '3'], {
      env: environment(),
      cwd: folder,
      onStart: (kill) => {
        void running('five.wav').then(() => kill('SIGINT'))
      },
    })
    expect(run).toMatchObject({ code: 130, out: '' })
    const record = (await stack.ports.jobStore.list({ tenant: 'default', limit: 50 }, OPEN)).find(
      ({ sourceName }) => sourceName === 'five.wav',
    )
    expect(await stack.ended([record?.jobId ?? ''])).toMatchObject([{ status: 'completed' }])
  })
})

async function running(name: string): Promise<void> {
  for (;;) {
    const records = await stack.ports.jobStore.list({ tenant: 'default', limit: 50 }, OPEN)
    if (records.some(({ sourceName, status }) => sourceName === name && status === 'running'))
      return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
