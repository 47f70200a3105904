import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { startStandin } from '../../gpu/standin/server.js'
import { EXIT } from '../../src/app/exit-code.js'
import type { CommandContext } from '../../src/cli/command-context.js'
import { plan } from '../../src/cli/commands/plan.js'
import { parsePlanOptions, type RawPlanOptions } from '../../src/cli/plan/plan-options.js'
import { standinFacts } from '../../src/cli/stack/own-standin.js'
import { projectRoot } from '../../src/config/project-root.js'
import { settingsSchema } from '../../src/config/schema.js'
import { readEngine } from '../../src/engines/read-engine.js'
import { systemClock } from '../../src/kernel/clock.js'
import { ConfigError, InputError, StopRequested } from '../../src/kernel/errors.js'
import { systemRandom } from '../../src/kernel/random.js'
import { runProcess } from '../../src/media/ffmpeg/run-process.js'
import { runCli } from '../fakes/run-cli.js'
import { createSilentFactory } from '../fakes/silent-recognizer.js'
import { createMoonshineFactory } from '../fakes/speech-factory.js'

const H200 = { gpu: 'h200' }

let folder: string
const signal = new AbortController().signal

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-plan-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** What a plan says with `--json`, as far as these tests look at it. */
interface PlanDocument {
  recordings: number
  engines: { source: string; each: { name: string; gpu: string | null; lanes_max: number }[] }
  night: { policy: string; finish_at: string; duration_ms: number; gpu_hours: number; cost: number }
  policies: { policy: string; duration_ms: number }[] | null
  by: {
    met: boolean
    changes: { change: string; met: boolean; night: { duration_ms: number } }[]
    least_change: { change: string } | null
  } | null
  jobs: { id: string; name: string; duration_ms: number; length_from: string; running: boolean }[]
  unreadable: string[]
  notes: string[]
}

/** Runs the command as a user would, with settings of its own. */
async function run(
  changes: Partial<RawPlanOptions>,
  given: { sources?: string[]; settings?: object; stop?: AbortController } = {},
): Promise<{ code: number; out: string[]; document: PlanDocument }> {
  const out: string[] = []
  const { sources = [], settings = {}, stop = new AbortController() } = given
  const clock = systemClock()
  const context: CommandContext = {
    settings: settingsSchema.parse({
      storage: join(folder, 'data'),
      stateDir: join(folder, 'state'),
      ...settings,
    }),
    sources: new Map(),
    root: projectRoot(),
    configEnv: {},
    cwd: folder,
    clock,
    random: systemRandom(),
    terminal: {
      out: (line) => void out.push(line),
      err: () => {},
      interactive: false,
      errStream: process.stderr,
      stdin: null,
    },
    stop: { drain: stop.signal, abort: signal, [Symbol.dispose]() {} },
  }
  const raw = { channels: 'mix', pace: '1', ceiling: 'on', seed: '1', ...changes }
  const code = await plan(context, sources, parsePlanOptions(raw, clock.wallMs()))
  const document = changes.json ? (JSON.parse(out.join('\n')) as PlanDocument) : EMPTY
  return { code, out, document }
}

const EMPTY = {} as PlanDocument

async function csv(name: string, lines: readonly string[]): Promise<string> {
  await writeFile(join(folder, name), lines.join('\n'))
  return name
}

describe('plan', () => {
  it('plans lengths from a file, with figures for each recording', async () => {
    const file = await csv('night.csv', ['name,duration', 'a.m4a,1:00:00', 'b.m4a,600'])
    const { code, document } = await run({ csv: file, json: true, gpu: 'l40s', price: '2' })
    expect(code).toBe(EXIT.done)
    expect(document.recordings).toBe(2)
    expect(document.engines).toMatchObject({ source: 'profile', each: [{ gpu: 'l40s' }] })
    expect(document.jobs.map(({ name }) => name)).toEqual(['a.m4a', 'b.m4a'])
    const hours = document.night.duration_ms / 3_600_000
    expect(document.night.gpu_hours).toBeCloseTo(hours, 3)
    expect(document.night.cost).toBeCloseTo(2 * hours, 3)
    expect(document.by).toBeNull()
  })

  it('shows a person the recordings, the end and what is assumed', async () => {
    const lines = Array.from({ length: 30 }, (_, at) => `meeting-${at}.m4a,${600 + at}`)
    const { out } = await run({ csv: await csv('many.csv', lines), engines: '1' })
    const text = out.join('\n')
    expect(text).toContain('30 recordings from many.csv')
    expect(text).toContain('1 engine of the profile l40s is assumed')
    expect(text).toContain('one every 6 s on average is assumed')
    expect(text).toContain('… and 10 more; --all shows them.')
    expect(text).toMatch(/All done at \d\d:\d\d, in \d+:\d\d/)
    const all = await run({ csv: 'many.csv', all: true })
    expect(all.out.filter((line) => line.includes('meeting-'))).toHaveLength(30)
  })

  it('answers a deadline, and finds the least change that makes it', async () => {
    const lines = Array.from({ length: 30 }, (_, at) => `${at},600`)
    const file = await csv('late.csv', lines)
    const settings = { admission: { policy: 'fixed' }, engine: { gpu: 'l40s' } }
    const by = new Date(systemClock().wallMs() + 1_500_000).toISOString()
    const { code, document } = await run({ csv: file, by, json: true }, { settings })
    expect(code).toBe(EXIT.done)
    expect(document.by).toMatchObject({ met: false, least_change: { change: 'policy' } })
    const tried = document.by?.changes ?? []
    expect(tried.map(({ change }) => change)).toContain('engines')
    for (const { night } of tried) {
      expect(night.duration_ms).toBeLessThanOrEqual(document.night.duration_ms)
    }
    const enough = await run({ csv: file, by, json: true, policy: 'elastic' }, { settings })
    expect(enough.document.by).toMatchObject({ met: true, changes: [] })
  })

  it('finds how many engines a night needs where one more is too few', async () => {
    const lines = Array.from({ length: 60 }, (_, at) => `${at},600`)
    const file = await csv('large.csv', lines)
    const by = new Date(systemClock().wallMs() + 1_500_000).toISOString()
    const settings = { engine: { sessionsMax: 5 } }
    const { document } = await run({ csv: file, by, json: true, gpu: 'l40s' }, { settings })
    const engines = (document.by?.changes ?? []).filter(({ change }) => change === 'engines')
    expect(engines.length).toBeGreaterThan(1)
    expect(engines.at(-1)).toMatchObject({ met: true })
  })

  it('lays all policies side by side', async () => {
    const lines = Array.from({ length: 20 }, (_, at) => `${at},900`)
    const file = await csv('compare.csv', lines)
    const { document } = await run({ csv: file, json: true, comparePolicies: true })
    const policies = document.policies ?? []
    expect(policies.map(({ policy }) => policy)).toEqual(['fixed', 'reserve', 'profile', 'elastic'])
    const takes = policies.map(({ duration_ms: durationMs }) => durationMs)
    expect(takes.at(-1)).toBe(Math.min(...takes))
    const { out } = await run({ csv: file, comparePolicies: true })
    expect(out.join('\n')).toMatch(/^profile +at /m)
  })

  it('reads the lengths of the recordings in a folder, and guesses what no header says', async () => {
    const recordings = join(folder, 'recordings')
    await mkdir(recordings)
    for (const [name, ...codec] of [
      ['a.wav'],
      ['b.mp3', '-b:a', '64k'],
      ['c.ogg', '-c:a', 'libopus'],
      ['d.m4a'],
      ['e.aac', '-b:a', '64k'],
    ] as const) {
      const sound = ['-f', 'lavfi', '-i', 'sine=frequency=300:duration=20']
      const args = ['-v', 'error', ...sound, ...codec, join(recordings, name)]
      const made = await runProcess('ffmpeg', args, { signal, outputBytesMax: 2 ** 20 })
      expect(made.exitCode, made.stderr).toBe(0)
    }
    await writeFile(join(recordings, 'f.mp3'), 'no recording at all')
    await writeFile(join(recordings, 'notes.txt'), 'not looked at')
    const { document } = await run({ json: true }, { sources: ['recordings'] })
    const found = new Map(document.jobs.map((job) => [job.name.split('/').at(-1), job]))
    for (const name of ['a.wav', 'b.mp3', 'c.ogg', 'd.m4a']) {
      expect(found.get(name), name).toMatchObject({ length_from: 'header' })
      expect(Math.abs((found.get(name)?.duration_ms ?? 0) - 20_000), name).toBeLessThan(200)
    }
    expect(found.get('e.aac')).toMatchObject({ length_from: 'size' })
    expect(document.notes.join(' ')).toContain('1 length is guessed')
    expect(document.unreadable).toHaveLength(1)
    expect(document.unreadable[0]).toContain('f.mp3')
    expect(found.size).toBe(5)
  })

  it('plans the jobs in storage that have not ended, with the pauses that are known', async () => {
    const storage = join(folder, 'data', 'jobs')
    const open = (jobId: string) => join(storage, jobId)
    await putJson(join(open('one'), 'job.json'), jobDocument('one', { priority: 3 }))
    await putJson(join(open('one'), 'analysis.json'), analysisDocument(120_000))
    await putJson(join(open('two'), 'job.json'), jobDocument('two', { priority: 7 }))
    await putJson(join(open('two'), 'analysis.json'), analysisDocument(60_000))
    await putJson(join(open('done'), 'job.json'), jobDocument('done', {}))
    await putJson(join(open('done'), 'manifest.json'), {})
    await putJson(join(open('failed'), 'job.json'), jobDocument('failed', {}))
    await putJson(join(open('failed'), 'a1', 'failure.json'), {})
    const { document } = await run({ json: true }, { settings: { engine: { sessionsMax: 1 } } })
    expect(document.jobs).toMatchObject([
      { id: 'two', duration_ms: 60_000, length_from: 'decoded', running: false },
      { id: 'one', duration_ms: 120_000, length_from: 'decoded', running: false },
    ])
    expect(document.notes.join(' ')).toContain('No queue runs here')
    expect(document.notes.join(' ')).not.toContain('Pauses are not known')
    await rm(storage, { recursive: true })
  })

  it('says so when nothing waits', async () => {
    const { code, out } = await run({})
    expect(code).toBe(EXIT.done)
    expect(out).toEqual(['Nothing waits in the queue, and nothing runs: there is nothing to plan.'])
    expect((await run({ json: true })).document).toMatchObject({ recordings: 0, jobs: [] })
  })

  it('plans for the engines that answer, by their own figures', async () => {
    await using standin = closing(
      await startStandin({
        recognizer: createSilentFactory(),
        blocks: 161,
      }),
    )
    const file = await csv('short.csv', ['a,60', 'b,60'])
    const gone = 'ws://127.0.0.1:9/v1/realtime'
    const settings = { engines: [standin.url, gone] }
    const { document } = await run({ csv: file, json: true }, { settings })
    expect(document.engines).toMatchObject({ source: 'engines', each: [{ name: standin.url }] })
    expect(document.notes.join(' ')).toContain(`Planned without ${gone}`)
  })

  it('plans by the profile of engine.gpu where no engine answers, else by one that it assumes', async () => {
    const file = await csv('gone.csv', ['a,60'])
    const engines = ['ws://127.0.0.1:9/v1/realtime', 'ws://127.0.0.1:1/v1/realtime']
    const known = await run({ csv: file, json: true }, { settings: { engines, engine: H200 } })
    const each = [{ gpu: 'h200' }, { gpu: 'h200' }]
    expect(known.document.engines).toMatchObject({ source: 'profile', each })
    const notes = known.document.notes.join('\n')
    for (const url of engines) {
      expect(notes).toMatch(new RegExp(`^The engine at ${url} .*NIGHTSCRIBE_ENGINES`, 'm'))
    }
    expect(notes).toContain('None of the engines answers')
    expect(notes).toContain('2 engines of the profile h200 (setting engine.gpu)')
    const unknown = await run({ csv: file, json: true }, { settings: { engines } })
    expect(unknown.document.engines).toMatchObject({
      source: 'assumed',
      each: [{ gpu: 'l40s' }, {}],
    })
    expect(unknown.document.notes.join('\n')).toContain('engine.gpu (NIGHTSCRIBE_ENGINE_GPU)')
    const unnamed = await run({ csv: file, json: true }, { settings: { engine: H200 } })
    expect(unnamed.document.engines).toMatchObject({ source: 'profile', each: [{ gpu: 'h200' }] })
    expect(unnamed.document.notes.join('\n')).toContain('No engine is named')
  })

  it('plans for the stand-in that `up` starts where neither engine nor GPU is named', async () => {
    const lines = Array.from({ length: 30 }, (_, at) => `${at},600`)
    const file = await csv('standin.csv', lines)
    const lanes = Math.min(lines.length, 12 * availableParallelism())
    const { document } = await run({ csv: file, json: true, price: '2' })
    expect(document.engines).toEqual({
      source: 'standin',
      each: [
        {
          name: 'the stand-in',
          gpu: null,
          lanes_max: lanes,
          leg_ms: 600_000,
        },
      ],
    })
    expect(document.night).toMatchObject({ gpu_hours: 0, cost: null })
    const notes = document.notes.join('\n')
    expect(notes).toContain('the stand-in that `nightscribe up` starts')
    expect(notes).not.toContain('step budget')
    const two = await run({ csv: file, json: true }, { settings: { engine: { sessionsMax: 2 } } })
    expect(two.document.engines).toMatchObject({ each: [{ lanes_max: 2 }] })
    expect((await run({ csv: file })).out.join('\n')).toContain('the stand-in, policy elastic')
  })

  it('knows of that stand-in what it tells of itself', async () => {
    const recognizer = createMoonshineFactory()
    await using standin = closing(await startStandin({ recognizer }))
    const settings = settingsSchema.parse({ engines: [standin.url] })
    const options = { url: standin.url, root: projectRoot() }
    const told = await readEngine(settings, options, { signal })
    const known = standinFacts(settings, options)
    expect(known.description).toEqual({ ...told.description, version: null })
    expect(known).toMatchObject({ kvModel: told.kvModel, gpu: told.gpu })
    expect(known.gauges.kvBlocksTotal).toBe(told.gauges.kvBlocksTotal)
  })

  it('refuses what it cannot plan, by name', async () => {
    const file = await csv('ok.csv', ['a,60'])
    await expect(run({ csv: 'missing.csv' })).rejects.toThrow(InputError)
    await expect(run({}, { sources: ['missing'] })).rejects.toThrow('There is no file or folder')
    await expect(run({ csv: file }, { sources: ['x'] })).rejects.toThrow('give one of them')
    await expect(run({ csv: file, gpu: 'l40' })).rejects.toThrow(ConfigError)
    await expect(run({ csv: file, gpu: 'l40' })).rejects.toThrow('there are: h100-80, h200, l4')
  })

  it('stops when it is told to', async () => {
    const stop = new AbortController()
    const reason = new StopRequested('canceled', 'Stop.')
    stop.abort(reason)
    const file = await csv('stop.csv', ['a,60'])
    await expect(run({ csv: file }, { stop })).rejects.toBe(reason)
  })

  it('prints one document with --json, and ends with 1 for a file that is wrong', async () => {
    const file = join(folder, await csv('cli.csv', ['a,60']))
    const good = await runCli(['plan', '--csv', file, '--json', '--gpu', 'l4'])
    expect(JSON.parse(good.out)).toMatchObject({ schema: 'nightscribe.plan/1', recordings: 1 })
    expect(good.code).toBe(EXIT.done)
    const bad = await runCli(['plan', '--csv', join(folder, await csv('bad.csv', ['a,soon']))])
    expect(bad).toMatchObject({ code: EXIT.input, out: '' })
    expect(bad.err).toContain('line 1, has no duration')
  })
})

async function putJson(path: string, value: object): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true })
  await writeFile(path, JSON.stringify(value))
}

function jobDocument(jobId: string, options: { priority?: number }): object {
  return {
    schema: 'nightscribe.job/1',
    job_id: jobId,
    created_at: '2026-11-21T20:00:00.000Z',
    name: `${jobId}.wav`,
    source: { bucket: 'folder', key: `${jobId}.wav`, version_id: null, etag: 'e', bytes: 1 },
    options: { channels: 'mix', pace: 1, priority: options.priority ?? 0, deadline_at: null },
  }
}

function analysisDocument(durationMs: number): object {
  const speech = { method: 'energy', segments_ms: [[0, durationMs]], speech_ms: durationMs }
  return {
    schema: 'nightscribe.analysis/1',
    duration_ms: durationMs,
    duration_method: 'decoded',
    samples: durationMs * 16,
    decode_ms: 1,
    ...{ container: 'wav', codec: 'pcm_s16le', sample_rate: 16_000, channels: 1, sha256: '00' },
    audio_key: 'audio.flac',
    lanes: [
      {
        channel: null,
        level_dbfs: -20,
        speech,
        pauses_ms: [[30_000, 31_000]],
        peaks: { per_second: 20, key: 'peaks.bin' },
      },
    ],
    warnings: [],
  }
}

/** A stand-in that is closed at the end of the block. */
function closing<T extends { close(): Promise<void> }>(standin: T): T & AsyncDisposable {
  return Object.assign(standin, { [Symbol.asyncDispose]: () => standin.close() })
}
