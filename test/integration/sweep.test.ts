import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { createTonesFactory } from '../../gpu/standin/recognizers/tones-recognizer.js'
import { type Standin, type StandinOptions, startStandin } from '../../gpu/standin/server.js'
import { EXIT } from '../../src/app/exit-code.js'
import type { CommandContext } from '../../src/cli/command-context.js'
import { sweep } from '../../src/cli/commands/sweep.js'
import type { Ask } from '../../src/cli/sweep/consent.js'
import { parseSweepOptions, type RawSweepOptions } from '../../src/cli/sweep/options.js'
import { projectRoot } from '../../src/config/project-root.js'
import { settingsSchema } from '../../src/config/schema.js'
import { systemClock } from '../../src/kernel/clock.js'
import { ConfigError, InputError, StopRequested } from '../../src/kernel/errors.js'
import { systemRandom } from '../../src/kernel/random.js'
import type { SweepReport } from '../../src/planning/sweep/report.js'
import { runCli } from '../fakes/run-cli.js'
import { toneRecording } from '../fakes/tone-recording.js'

let folder: string
let tones: string
let standin: Standin | null = null
let runs = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-sweep-'))
  tones = join(folder, 'tones.wav')
  await writeFile(tones, (await toneRecording({ folder, seed: 1, count: 40, everyMs: 240 })).bytes)
})
afterEach(async () => {
  await standin?.close()
  standin = null
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function engine(options: Partial<StandinOptions> = {}): Promise<Standin> {
  standin = await startStandin({ recognizer: createTonesFactory(), ...options })
  return standin
}

/** A command's context without a terminal. @returns it with what was written */
function contextOf(engines: string[], stop = new AbortController()) {
  const out: string[] = []
  const err: string[] = []
  const never = new AbortController()
  const context: CommandContext = {
    settings: settingsSchema.parse({
      storage: join(folder, 'data'),
      stateDir: join(folder, 'state'),
      engines,
      vad: { method: 'energy' },
    }),
    sources: new Map(),
    root: projectRoot(),
    configEnv: {},
    cwd: folder,
    clock: systemClock(),
    random: systemRandom(),
    terminal: {
      out: (line) => void out.push(line),
      err: (line) => void err.push(line),
      interactive: false,
      errStream: process.stderr,
      stdin: null,
    },
    stop: { drain: stop.signal, abort: never.signal, [Symbol.dispose]() {} },
  }
  return { context, out, err }
}

/** A bound that no slow machine breaks: these tests are of what is counted, not of speed. */
const RAW: RawSweepOptions = {
  ...{ sessions: '2,4', seconds: '1', pace: '1', slaMs: '60000', seed: '1' },
}

function optionsOf(changes: Partial<RawSweepOptions>) {
  runs += 1
  return parseSweepOptions({ ...RAW, audio: tones, out: `run-${runs}`, ...changes })
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20))
}

async function reportOf(out: string | null): Promise<SweepReport> {
  return JSON.parse(await readFile(join(folder, out ?? '', 'report.json'), 'utf8'))
}

describe('sweep', () => {
  it('measures every step, and keeps events, report and page', async () => {
    const { url } = await engine()
    const { context, out } = contextOf([url])
    const options = optionsOf({})
    expect(await sweep(context, options, null)).toBe(EXIT.done)
    expect((await readdir(join(folder, options.out ?? ''))).sort()).toEqual([
      'events.ndjson',
      'report.html',
      'report.json',
    ])
    const report = await reportOf(options.out)
    expect(report).toMatchObject({
      stopped: false,
      engine: { is_standin: true, version: '0.32.0' },
    })
    expect(report.steps.map(({ sessions }) => sessions)).toEqual([2, 4])
    for (const step of report.steps) {
      expect(step).toMatchObject({
        ending: 'complete',
        outcomes: [{ outcome: 'ok', code: null, sessions: step.sessions }],
        unverified_sessions: 0,
        others_connected_max: 0,
      })
      expect(step.verdict).not.toBe('fails')
      expect(step.ttft_ms).not.toBeNull()
      expect(step.kv.predicted_peak_blocks).toBeGreaterThan(0)
      expect(step.worst_lag_ms_by_session).toHaveLength(step.sessions)
    }
    expect(out.join('\n')).toContain('STAND-IN')
    // The verdict depends on the machine: here it is only seen to be printed.
    expect(report.result.sentence).not.toBe('')
    expect(out.join('\n')).toContain(report.result.sentence)
  })

  it('writes an event for every frame and delta, and nothing after the end', async () => {
    const { url } = await engine()
    const { context } = contextOf([url])
    const options = optionsOf({ sessions: '2', pace: '2' })
    await sweep(context, options, null)
    const text = await readFile(join(folder, options.out ?? '', 'events.ndjson'), 'utf8')
    const lines = text.trim().split('\n')
    const events = lines.map((line) => JSON.parse(line))
    // 1 s and the stagger of 1 s at twice the speed: 4 s of audio, 50 frames, 60 deltas.
    expect(lines.filter((line) => line.startsWith('["f",'))).toHaveLength(2 * 50)
    expect(lines.filter((line) => line.startsWith('["d",'))).toHaveLength(2 * 60)
    expect(events[0]).toMatchObject({ kind: 'sweep_started' })
    expect(events.at(-1)).toMatchObject({ kind: 'step_ended', ending: 'complete' })
    const times = events.slice(1).map((event) => (Array.isArray(event) ? event[2] : event.at_ms))
    expect(times).toEqual([...times].sort((left, right) => left - right))
  })

  it('ends a step in which the KV cache is full, frees the engine and exits 75', async () => {
    const { url } = await engine({ blocks: 12 })
    const { context } = contextOf([url])
    const options = optionsOf({ sessions: '4,8', seconds: '9', pace: '4', yes: true })
    expect(await sweep(context, options, null)).toBe(EXIT.tryLater)
    const report = await reportOf(options.out)
    expect(report.steps).toHaveLength(1)
    expect(report.steps[0]).toMatchObject({
      ending: 'deadlock',
      verdict: 'fails',
      outcomes: [{ outcome: 'timeout', code: 'deadlock', sessions: 4 }],
    })
    expect(report.steps[0]?.reasons[0]).toMatch(/KV cache is full: deadlock/)
    expect(report.result).toMatchObject({ highest_held: null, lowest_failed: 4 })
  })

  it('counts sessions by how they ended, and finding a limit is no failure', async () => {
    // Connections of the first step: 0 warms up, 1 and 2. Of the second: 3, then 4 to 7.
    const { url } = await engine({
      faults: [
        { kind: 'refuse', status: 503, sessions: [4] },
        { kind: 'drop', afterDeltas: 5, sessions: [5] },
        { kind: 'processing_error', afterDeltas: 5, sessions: [6] },
      ],
    })
    const { context } = contextOf([url])
    const options = optionsOf({ sessions: '2,4,6' })
    expect(await sweep(context, options, null)).toBe(EXIT.done)
    const { steps, result } = await reportOf(options.out)
    expect(result).toMatchObject({ lowest_failed: 4 })
    expect(steps.map(({ sessions }) => sessions)).toEqual([2, 4])
    const outcomes = steps[1]?.outcomes ?? []
    expect([...outcomes].sort((left, right) => (left.outcome < right.outcome ? -1 : 1))).toEqual([
      { outcome: 'closed', code: 'close_1006', sessions: 1 },
      { outcome: 'error', code: 'processing_error', sessions: 1 },
      { outcome: 'ok', code: null, sessions: 1 },
      { outcome: 'rejected', code: 'http_503', sessions: 1 },
    ])
  })

  it('goes on after a failed step with --all, and fails where it can not even warm up', async () => {
    const { url } = await engine({ faults: [{ kind: 'refuse', sessions: [0] }] })
    const { context } = contextOf([url])
    const options = optionsOf({ sessions: '1,2', all: true })
    expect(await sweep(context, options, null)).toBe(EXIT.tryLater)
    const { steps } = await reportOf(options.out)
    expect(steps.map(({ ending }) => ending)).toEqual(['warm_up_failed', 'complete'])
    expect(steps[0]?.reasons[0]).toMatch(/warm-up utterance failed: .*HTTP 503/)
  })

  it('keeps what was done when it is stopped', async () => {
    const { url } = await engine()
    const stop = new AbortController()
    const { context } = contextOf([url], stop)
    const options = optionsOf({ sessions: '2', seconds: '600' })
    const reason = new StopRequested('canceled', 'Stopped by a signal.')
    const sweeping = sweep(context, options, null)
    await until(() => standin?.stats.connectionsActive === 2)
    stop.abort(reason)
    await expect(sweeping).rejects.toBe(reason)
    await until(() => standin?.stats.connectionsActive === 0)
    const report = await reportOf(options.out)
    expect(report).toMatchObject({ stopped: true, result: { highest_held: null } })
    expect(report.steps).toMatchObject([{ ending: 'stopped', verdict: 'unclear' }])
  })

  it('keeps the report in storage when no folder is named', async () => {
    const { url } = await engine()
    const { context } = contextOf([url])
    await sweep(context, { ...optionsOf({ sessions: '1', pace: '4' }), out: null }, null)
    const [sweepId = ''] = await readdir(join(folder, 'data', 'sweeps'))
    expect((await readdir(join(folder, 'data', 'sweeps', sweepId))).sort()).toEqual([
      'events.ndjson',
      'report.html',
      'report.json',
    ])
    expect(await readdir(join(folder, 'state', 'sweeps'))).toEqual([])
    expect(await readdir(join(folder, 'state', 'spool'))).toEqual([])
  })
})

describe('sweep asks first', () => {
  it('before it overfills the cache: without a terminal it wants --yes', async () => {
    const { url } = await engine({ blocks: 80 })
    const { context } = contextOf([url])
    const options = optionsOf({ sessions: '2,8', seconds: '60' })
    const refused = sweep(context, options, null)
    await expect(refused).rejects.toBeInstanceOf(ConfigError)
    await expect(refused).rejects.toThrow(/8 sessions want up to \d+ KV blocks .* has 79: .*--yes/)
    expect(await readdir(folder)).not.toContain(options.out)
  })

  it('before it disturbs others, and goes on with a yes', async () => {
    const { url } = await engine()
    const other = new WebSocket(url)
    await new Promise((resolve) => other.once('message', resolve))
    const { context } = contextOf([url])
    const asked: string[] = []
    const answer = (text: string): Ask => {
      return async (question) => {
        asked.push(question)
        return text
      }
    }
    const refused = sweep(context, optionsOf({ sessions: '1', pace: '4' }), answer('n'))
    await expect(refused).rejects.toBeInstanceOf(StopRequested)
    const options = optionsOf({ sessions: '1', pace: '4' })
    expect(await sweep(context, options, answer('y'))).toBe(EXIT.done)
    expect(asked).toHaveLength(2)
    expect(asked[0]).toMatch(/^1 connections of others are on this engine.*Go on\? \(y\/N\) $/)
    other.close()
    expect((await reportOf(options.out)).steps[0]?.others_connected_max).toBe(1)
  })
})

describe('sweep refuses', () => {
  it.each<[string, Partial<RawSweepOptions>, RegExp]>([
    ['audio that is not there', { audio: 'nowhere.wav' }, /no file .*nowhere\.wav/],
    ['audio that is none', { audio: 'text.mp3' }, /text\.mp3/],
    ['audio from the web', { audio: 'https://example.org/a.wav' }, /--audio takes a file or s3/],
    ['steps beyond max_model_len', { seconds: '600' }, /max_model_len of 2048/],
  ])('%s', async (_, changes, sentence) => {
    await writeFile(join(folder, 'text.mp3'), 'no sound at all '.repeat(100))
    const { url } = await engine({ maxModelLen: 2048 })
    const { context } = contextOf([url])
    const refused = sweep(context, optionsOf(changes), null)
    await expect(refused).rejects.toBeInstanceOf(InputError)
    await expect(refused).rejects.toThrow(sentence)
  })

  it('no engine, or a choice of them', async () => {
    const { context } = contextOf([])
    await expect(sweep(context, optionsOf({}), null)).rejects.toThrow(/no engine to sweep/)
    const two = contextOf(['ws://127.0.0.1:1/v1/realtime', 'ws://127.0.0.1:2/v1/realtime'])
    await expect(sweep(two.context, optionsOf({}), null)).rejects.toThrow(/names 2 engines/)
  })

  it('to write over another sweep', async () => {
    const { url } = await engine()
    const { context } = contextOf([url])
    const options = optionsOf({ sessions: '1', pace: '4' })
    await sweep(context, options, null)
    const before = await reportOf(options.out)
    await expect(sweep(context, options, null)).rejects.toThrow(/is there already/)
    expect(await reportOf(options.out)).toEqual(before)
  })
})

describe('nightscribe sweep', () => {
  it('prints one JSON document alone, and compares two of them', async () => {
    const { url } = await engine()
    const env = { NIGHTSCRIBE_STATE_DIR: join(folder, 'state'), NIGHTSCRIBE_VAD_METHOD: 'energy' }
    const cli = (...args: string[]) => runCli(['sweep', ...args], { env, cwd: folder })
    const small = ['--engine', url, '--seconds', '3', '--sla-ms', '60000', '--audio', tones]
    const first = await cli('--sessions', '2,4', ...small, '--out', 'a', '--json')
    expect(first.code).toBe(0)
    expect(JSON.parse(first.out)).toEqual(await reportOf('a'))
    expect(first.err).toContain('STAND-IN')
    expect(first.err + first.out).not.toContain('\u001b')

    const second = await cli('--sessions', '2', ...small, '--pace', '4', '--out', 'b')
    expect(second.code).toBe(0)
    expect(second.out).toMatch(/sessions +ok .*verdict\n +2 +2 /)
    expect(second.out).toContain('STAND-IN')

    const compared = await cli('--compare', 'a', join('b', 'report.json'))
    expect(compared.code).toBe(0)
    expect(compared.out).toContain('They differ in pace: 1 against 4.')
    expect(compared.out).toMatch(/delta_lag_ms_p99/)
    const json = JSON.parse((await cli('--compare', 'a', 'b', '--json')).out)
    expect(json).toMatchObject({ schema: 'nightscribe.sweep-comparison/1', only_in_a: [4] })
  })

  it('ends with 130 when it is stopped, and the report is there', async () => {
    const { url } = await engine()
    const stops: (() => void)[] = []
    const running = runCli(
      ['sweep', '--engine', url, '--sessions', '2', '--audio', tones, '--out', 'stopped'],
      {
        env: { NIGHTSCRIBE_STATE_DIR: join(folder, 'state'), NIGHTSCRIBE_VAD_METHOD: 'energy' },
        cwd: folder,
        onStart: (kill) => stops.push(() => kill('SIGINT')),
      },
    )
    await until(() => standin?.stats.connectionsActive === 2)
    for (const stop of stops) stop()
    expect((await running).code).toBe(130)
    expect(await reportOf('stopped')).toMatchObject({ stopped: true, steps: [{ sessions: 2 }] })
  })

  it.each([
    [1, ['--compare', 'nowhere', 'nowhere'], /There is no .*nowhere/],
    [1, ['--compare', 'one'], /--compare takes two reports/],
    [1, ['8'], /no argument without --compare/],
    [1, ['--sessions', 'x'], /--sessions takes/],
    [2, [], /no engine to sweep/],
  ])('exits %d with one sentence: %j', async (code, args, sentence) => {
    const run = await runCli(['sweep', ...args], { cwd: folder, env: { NIGHTSCRIBE_ENGINES: '' } })
    expect(run).toMatchObject({ code, out: '' })
    expect(run.err.trim().split('\n')).toEqual([expect.stringMatching(sentence)])
  })
})
