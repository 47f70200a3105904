import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadSettings, type SettingsOrigin } from '../../../src/config/load-settings.js'
import { settingsSchema } from '../../../src/config/schema.js'
import { ConfigError } from '../../../src/kernel/errors.js'

let cwd: string

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'nightscribe settings '))
  mkdirSync(join(cwd, 'config'))
})

afterEach(() => {
  rmSync(cwd, { recursive: true, force: true })
})

function write(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) writeFileSync(join(cwd, path), text)
}

function load(origin: Partial<SettingsOrigin> = {}) {
  return loadSettings({ cwd, env: {}, ...origin })
}

/** The lines of the error's list, without the first sentence. */
function problemsOf(origin: Partial<SettingsOrigin>): string[] {
  try {
    load(origin)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    expect((error as ConfigError).code).toBe('config_invalid')
    const [, ...lines] = (error as ConfigError).message.split('\n')
    expect((error as ConfigError).facts).toStrictEqual({ problems: lines.length })
    return lines.map((line) => line.trim())
  }
  throw new Error('the settings were accepted')
}

describe('sources', () => {
  it('gives the defaults where nothing is said, frozen', () => {
    const { settings, sources } = load()
    expect(settings).toStrictEqual(settingsSchema.parse({}))
    expect(new Set(sources.values())).toStrictEqual(new Set(['default']))
    expect(Object.isFrozen(settings) && Object.isFrozen(settings.engine)).toBe(true)
  })

  it('lets the strongest source win, setting by setting', () => {
    write({
      'config/default.yaml':
        'engine:\n  sessionsMax: 5\n  model: yaml\n  lagMaxMs: 1\nqueue: { prefix: yaml }\n',
      '.env':
        'NIGHTSCRIBE_ENGINE_SESSIONS_MAX=6\nNIGHTSCRIBE_ENGINE_MODEL=dotenv\nNIGHTSCRIBE_QUEUE_PREFIX="dotenv"\nOTHER=1\n',
    })
    const { settings, sources } = load({
      env: { NIGHTSCRIBE_ENGINE_SESSIONS_MAX: '7', NIGHTSCRIBE_ENGINE_MODEL: 'environment' },
      flags: { 'engine.sessionsMax': 8, 'log.level': undefined },
    })
    expect(settings.engine).toMatchObject({ sessionsMax: 8, model: 'environment', lagMaxMs: 1 })
    expect(settings.queue.prefix).toBe('dotenv')
    expect(sources.get('engine.sessionsMax')).toBe('command line: engine.sessionsMax')
    expect(sources.get('engine.model')).toBe('environment NIGHTSCRIBE_ENGINE_MODEL')
    expect(sources.get('queue.prefix')).toBe('.env: NIGHTSCRIBE_QUEUE_PREFIX')
    expect(sources.get('engine.lagMaxMs')).toBe('config/default.yaml: engine.lagMaxMs')
    expect(sources.get('log.level')).toBe('default')
  })

  it('reads the names of the contract', () => {
    const { settings } = load({
      env: {
        NIGHTSCRIBE_STORAGE: 's3://bucket/prefix',
        NIGHTSCRIBE_S3_ENDPOINT: 'http://127.0.0.1:9000',
        NIGHTSCRIBE_REDIS_URL: 'redis://127.0.0.1:6379/2',
        NIGHTSCRIBE_ENGINES: 'ws://gpu-1:8000/v1/realtime, wss://gpu-2/v1/realtime',
        NIGHTSCRIBE_ENGINE_KEY: 'secret',
      },
    })
    expect(settings).toMatchObject({
      storage: 's3://bucket/prefix',
      s3: { endpoint: 'http://127.0.0.1:9000' },
      redisUrl: 'redis://127.0.0.1:6379/2',
      engines: ['ws://gpu-1:8000/v1/realtime', 'wss://gpu-2/v1/realtime'],
      engineKey: 'secret',
    })
  })

  it.each([
    ['--config', { configName: 'berlin' }],
    ['the environment', { env: { NIGHTSCRIBE_CONFIG: 'berlin' } }],
  ])('takes the file that %s names instead of default.yaml', (_, origin) => {
    write({
      'config/default.yaml': 'engine: { sessionsMax: 5, lagMaxMs: 5 }',
      'config/berlin.yaml': 'engine: { sessionsMax: 9 }',
    })
    expect(load(origin).settings.engine).toMatchObject({ sessionsMax: 9, lagMaxMs: 4000 })
  })

  it('takes the name of the file from .env, too', () => {
    write({ '.env': 'NIGHTSCRIBE_CONFIG=berlin', 'config/berlin.yaml': 'storage: berlin' })
    expect(load({ env: { NIGHTSCRIBE_CONFIG: '' } }).settings.storage).toBe('berlin')
  })

  it('counts an empty variable as not set, and takes "none" for null and for an empty list', () => {
    write({
      'config/default.yaml': 'storage: here\nengines: [ws://a/]\nredisUrl: redis://a\n',
    })
    const empty = { NIGHTSCRIBE_STORAGE: '', NIGHTSCRIBE_ENGINES: ' ', NIGHTSCRIBE_REDIS_URL: '' }
    expect(load({ env: empty }).settings).toMatchObject({
      storage: 'here',
      engines: ['ws://a/'],
      redisUrl: 'redis://a',
    })
    const none = { NIGHTSCRIBE_ENGINES: 'none', NIGHTSCRIBE_REDIS_URL: 'null' }
    expect(load({ env: none }).settings).toMatchObject({ engines: [], redisUrl: null })
  })

  it('accepts an empty file, a file of comments, and empty sections', () => {
    for (const text of ['', '# nothing\n', 'engine:\nqueue:\n']) {
      write({ 'config/default.yaml': text })
      expect(load().settings).toStrictEqual(settingsSchema.parse({}))
    }
  })

  it('leaves alone what is not a setting of ours', () => {
    const env = {
      NIGHTSCRIBE_TEST_ENGINE: 'ws://x',
      NIGHTSCRIBE_ENGINE_KIT: '/somewhere',
      AWS_ACCESS_KEY_ID: 'x',
      PATH: '/bin',
    }
    expect(load({ env }).settings).toStrictEqual(settingsSchema.parse({}))
  })
})

describe('problems', () => {
  it('come all at once, each with its source', () => {
    write({
      'config/default.yaml': 'engine: { sesionsMax: 5, lagMaxMs: soon }\nstorag: x\nqueue: 5\n',
      '.env': 'NIGHTSCRIBE_LOG_LEVEL=loud\nNIGHTSCRIBE_STORGE=x\n',
    })
    const problems = problemsOf({
      env: {
        NIGHTSCRIBE_ENGINES: 'ws://fine/,http://wrong/',
        NIGHTSCRIBE_ENGINE_SESSIONS_MAX: 'many',
        NIGHTSCRIBE_VAD_THRESHOLD: '1',
        NIGHTSCRIBE_S3_PATH_STYLE: 'perhaps',
        NIGHTSCRIBE_ENGINE_KEYS: 'x',
      },
      flags: { 'media.decodesMax': 0, 'media.decodeMax': 3 },
    })
    expect(problems.sort()).toStrictEqual([
      '.env: NIGHTSCRIBE_LOG_LEVEL: must be one of debug, info, warn, error, silent, and is "loud"',
      '.env: NIGHTSCRIBE_STORGE: there is no such setting; is it NIGHTSCRIBE_STORAGE?',
      'command line: media.decodeMax: there is no such setting; is it media.decodesMax?',
      'command line: media.decodesMax: must be at least 1, and is 0',
      'config/default.yaml: engine.lagMaxMs: must be a number, and is "soon"',
      'config/default.yaml: engine.sesionsMax: there is no such setting; is it engine.sessionsMax?',
      'config/default.yaml: queue: is a section: put its settings under it, indented',
      'config/default.yaml: storag: there is no such setting; is it storage?',
      'environment NIGHTSCRIBE_ENGINES: must be ws:// or wss:// addresses, and is ["ws://fine/","http://wrong/"]',
      'environment NIGHTSCRIBE_ENGINE_KEYS: there is no such setting; is it NIGHTSCRIBE_ENGINE_KEY?',
      'environment NIGHTSCRIBE_ENGINE_SESSIONS_MAX: must be a number, and is "many"',
      'environment NIGHTSCRIBE_S3_PATH_STYLE: must be true or false, and is "perhaps"',
      'environment NIGHTSCRIBE_VAD_THRESHOLD: must be at most 0.95, and is 1',
    ])
  })

  it.each([
    ['NIGHTSCRIBE_STORAGE', 'gs://bucket', 'must be a folder or s3://bucket/prefix'],
    ['NIGHTSCRIBE_STORAGE', 's3://', 'must be a folder or s3://bucket/prefix'],
    ['NIGHTSCRIBE_S3_ENDPOINT', 'ftp://x', 'must begin with http:// or https://'],
    ['NIGHTSCRIBE_S3_ACCESS_KEY_ID', 'x', 's3.secretAccessKey: must be set too'],
    ['NIGHTSCRIBE_S3_SECRET_ACCESS_KEY', 'x', 's3.accessKeyId: must be set too'],
    ['NIGHTSCRIBE_REDIS_URL', 'localhost:6379', 'must begin with redis://'],
    ['NIGHTSCRIBE_ENGINES', 'ws://me:k@gpu/v1/realtime', 'the key belongs in engineKey'],
    ['NIGHTSCRIBE_QUEUE_STALLED_INTERVAL_MS', '10001', 'at most queue.lockDurationMs (10000)'],
    ['NIGHTSCRIBE_SUBTITLES_CUE_MIN_MS', '7001', 'at most subtitles.cueMaxMs (7000)'],
    ['NIGHTSCRIBE_LEGS_FLOOR_MS', '600001', 'at most legs.ceilingMs (600000)'],
    [
      'NIGHTSCRIBE_LEGS_CEILING_MS',
      '19999',
      'legs.floorMs: must be at most legs.ceilingMs (19999)',
    ],
    ['NIGHTSCRIBE_LEGS_SKIP_SILENCE_MS', '4999', 'must be at least 5000'],
    ['NIGHTSCRIBE_QUEUE_BACKOFF_MS', '300001', 'at most queue.backoffMaxMs (300000)'],
    ['NIGHTSCRIBE_ADMISSION_POLICY', 'greedy', 'must be one of fixed, reserve, profile, elastic'],
    ['NIGHTSCRIBE_ADMISSION_SAFETY_FACTOR', '1.01', 'must be at most 1'],
    ['NIGHTSCRIBE_VAD_SENSITIVITY', 'loud', 'must be one of low, medium, high'],
    ['NIGHTSCRIBE_ENGINE_SESSIONS_MAX', '2.5', 'must be a whole number, and is 2.5'],
    ['NIGHTSCRIBE_QUEUE_PREFIX', 'Caps', 'must match'],
  ])('%s=%s', (name, value, expected) => {
    const problems = problemsOf({ env: { [name]: value } })
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain(expected)
  })

  it('name the line where YAML is wrong', () => {
    write({ 'config/default.yaml': 'storage: data\nengine: [\n' })
    expect(problemsOf({})[0]).toMatch(/^config\/default\.yaml: line [23]: /)
    write({ 'config/default.yaml': 'storage: a\nstorage: b\n' })
    expect(problemsOf({})[0]).toMatch(/^config\/default\.yaml: line 2: .*unique/)
    write({ 'config/default.yaml': '- a list\n' })
    expect(problemsOf({})[0]).toContain('must hold settings by name')
  })

  it('say which named files there are', () => {
    write({ 'config/berlin.yaml': '', 'config/default.yaml': '' })
    const expected = "config/paris.yaml: doesn't exist; there are: berlin, default"
    expect(problemsOf({ configName: 'paris' })).toStrictEqual([expected])
    expect(problemsOf({ configName: '../berlin' })[0]).toContain("doesn't exist")
  })

  it('show no key and no password', () => {
    const problems = problemsOf({
      env: {
        NIGHTSCRIBE_REDIS_URL: 'rediss:/me:hunter2@host',
        NIGHTSCRIBE_S3_ENDPOINT: 'ftp://me:hunter2@host',
        NIGHTSCRIBE_ENGINES: 'http://me:hunter2@host/',
      },
      flags: { engineKey: ['hunter2'], 's3.secretAccessKey': { hunter2: 'hunter2' } },
    })
    expect(problems.length).toBeGreaterThanOrEqual(3)
    expect(problems.join('\n')).not.toContain('hunter2')
  })
})
