import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nearestName } from '../../../src/config/nearest-name.js'
import { showSetting, withoutCredentials } from '../../../src/config/redact.js'
import { type Settings, settingsSchema } from '../../../src/config/schema.js'
import { environmentNameOf, settingCatalogue } from '../../../src/config/setting-catalogue.js'
import { valueOfText } from '../../../src/config/setting-text.js'

function settingAt(path: string) {
  const found = settingCatalogue.find((setting) => setting.path === path)
  if (found === undefined) throw new Error(`no setting ${path}`)
  return found
}

describe('environmentNameOf', () => {
  it.each([
    ['storage', 'NIGHTSCRIBE_STORAGE'],
    ['s3.endpoint', 'NIGHTSCRIBE_S3_ENDPOINT'],
    ['s3.accessKeyId', 'NIGHTSCRIBE_S3_ACCESS_KEY_ID'],
    ['redisUrl', 'NIGHTSCRIBE_REDIS_URL'],
    ['engine.sessionsMax', 'NIGHTSCRIBE_ENGINE_SESSIONS_MAX'],
    ['engineKey', 'NIGHTSCRIBE_ENGINE_KEY'],
  ])('%s is %s', (path, name) => {
    expect(environmentNameOf(path)).toBe(name)
  })

  it('gives every setting a name of its own', () => {
    const names = settingCatalogue.map((setting) => setting.environmentName)
    expect(new Set(names).size).toBe(names.length)
  })
})

describe('valueOfText', () => {
  it.each<[string, string, unknown]>([
    ['engine.sessionsMax', ' 12 ', 12],
    ['engine.sessionsMax', '1e2', 100],
    ['engine.sessionsMax', '0x10', '0x10'],
    ['engine.sessionsMax', 'ten', 'ten'],
    ['vad.threshold', '.25', 0.25],
    ['s3.pathStyle', 'TRUE', true],
    ['s3.pathStyle', 'off', false],
    ['s3.pathStyle', 'none', null],
    ['s3.pathStyle', 'maybe', 'maybe'],
    ['engines', 'ws://a/, ws://b/,', ['ws://a/', 'ws://b/']],
    ['engines', 'none', []],
    ['redisUrl', 'null', null],
    ['storage', 'none', 'none'],
    ['storage', ' data ', 'data'],
  ])('%s: %j is %j', (path, text, value) => {
    expect(valueOfText(settingAt(path), text)).toStrictEqual(value)
  })

  it('reads back every default that it is given as a text', () => {
    for (const setting of settingCatalogue) {
      const { defaultValue } = setting
      const text = Array.isArray(defaultValue) ? defaultValue.join(',') : String(defaultValue)
      expect(valueOfText(setting, text), setting.path).toStrictEqual(defaultValue)
    }
  })

  it('reads every number as it was written', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        expect(valueOfText(settingAt('vad.threshold'), String(number))).toBe(
          Object.is(number, -0) ? 0 : number,
        )
      }),
    )
  })
})

describe('nearestName', () => {
  const known = ['storage', 'engines', 'engineKey', 'engine.sessionsMax']

  it.each([
    ['storag', 'storage'],
    ['STORAGE', 'storage'],
    ['enginekeys', 'engineKey'],
    ['engine.sessionMax', 'engine.sessionsMax'],
    ['nothingLikeIt', null],
    ['', null],
  ])('%j is %j', (name, nearest) => {
    expect(nearestName(name, known)).toBe(nearest)
  })
})

describe('what is shown of settings', () => {
  const showAll = (settings: Settings) => {
    const valueAt = (path: string) =>
      path.split('.').reduce<unknown>((node, key) => {
        return (node as Record<string, unknown>)[key]
      }, settings)
    const shown = settingCatalogue.map(({ path }) => [path, showSetting(path, valueAt(path))])
    return Object.fromEntries(shown) as Record<string, string>
  }

  it('hides keys, and names and passwords in addresses', () => {
    const shown = showAll(
      settingsSchema.parse({
        s3: { accessKeyId: 'id', secretAccessKey: 'hunter2', endpoint: 'http://u:hunter2@s3/' },
        redisUrl: 'redis://:hunter2@host:6379',
        engines: ['wss://u:hunter2@gpu/v1/realtime'],
        engineKey: 'hunter2',
      }),
    )
    expect(JSON.stringify(shown)).not.toContain('hunter2')
    expect(shown).toMatchObject({
      's3.secretAccessKey': '(hidden)',
      engineKey: '(hidden)',
      engines: '["wss://***@gpu/v1/realtime"]',
      redisUrl: '"redis://***@host:6379"',
      'queue.prefix': '"nightscribe"',
    })
    expect(Object.keys(shown)).toHaveLength(settingCatalogue.length)
  })

  it('says that a key is not set', () => {
    expect(showAll(settingsSchema.parse({}))).toMatchObject({ engineKey: 'null' })
  })

  it.each([
    'http//me:hunter2@host',
    'rediss:/me:hunter2@host',
    '"me:hunter2@host"',
    '["ws://fine/","me:hunter2@host"]',
    'redis://:hunter2@host',
  ])('hides the password in %s', (text) => {
    expect(withoutCredentials(text)).not.toContain('hunter2')
    expect(withoutCredentials(text)).toContain('***@host')
  })

  it('leaves texts without credentials alone', () => {
    const text = 'see http://host/a@b and me@example.org'
    expect(withoutCredentials(text)).toBe(text)
  })
})
