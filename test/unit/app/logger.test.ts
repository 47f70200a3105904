import { describe, expect, it } from 'vitest'
import { openLogger, readableLines } from '../../../src/app/logger.js'
import { secretTexts, withoutSecrets } from '../../../src/config/redact.js'
import { settingsSchema } from '../../../src/config/schema.js'

const settings = settingsSchema.parse({
  engineKey: 'sk-"quoted"-key',
  s3: { endpoint: 'https://root:s3door@s3.example:9000', secretAccessKey: 'wJalrXUtnFEMI' },
  redisUrl: 'redis://night:p%40ss-word@redis.example:6379/2',
  engines: ['ws://gpu:hunter22@gpu-1.example:8000/v1/realtime'],
  log: { level: 'debug' },
})
const SECRETS = [
  ...['sk-"quoted"-key', 'sk-\\"quoted', 's3door', 'wJalrXUtnFEMI', 'p%40ss-word', 'p@ss-word'],
  ...['hunter22', 'night:', 'root:'],
]

function logged(write: (log: ReturnType<typeof openLogger>) => void): string {
  const lines: string[] = []
  write(openLogger(settings, { write: (line) => void lines.push(line) }))
  return lines.join('')
}

describe('the log', () => {
  it('is JSON, a line an event, with nothing that opens a door', () => {
    const text = logged((log) => {
      log.info({ where: settings.engines[0], reason: `key ${settings.engineKey} refused` }, 'a')
      log.warn({ reason: `can't reach ${settings.redisUrl}` }, 'b')
      log.error({ deep: { reason: settings.s3.endpoint } }, settings.s3.secretAccessKey ?? '')
      log.debug({ said: 'p@ss-word', header: 'Authorization: Bearer abc.def-123' }, 'd')
      log.info({ at: 'https://s3.example/k?X-Amz-Signature=f00&X-Amz-Credential=AKIA/1&x=1' }, 'e')
      log.info({ at: 'https://somebody:else@host/path' }, 'f')
    })
    const lines = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines).toHaveLength(6)
    const others = ['f00', 'AKIA', 'abc.def', 'somebody', 'else@']
    for (const secret of [...SECRETS, ...others]) expect(text).not.toContain(secret)
    expect(lines[0]).toMatchObject({ level: 30, msg: 'a' })
    expect(lines[4].at).toMatch(/^https:\/\/s3\.example\/k\?.*&x=1$/)
  })

  it('leaves out fields that only carry what must not be there', () => {
    const text = logged((log) => {
      const said = { text: 'we sell', name: 'board.wav', source: 'board.wav', jobId: 'j1' }
      log.info({ ...said, key: 'k', token: 't', record: { ...said, detail: 'board.wav' } }, 'a')
    })
    expect(text).not.toMatch(/we sell|board|token|detail/)
    expect(JSON.parse(text)).toMatchObject({ jobId: 'j1', record: { jobId: 'j1' } })
  })

  it('is as loud as the setting says', () => {
    const text = logged((log) => log.trace('too much'))
    expect(text).toBe('')
  })

  it('is readable on a terminal', () => {
    const shown: string[] = []
    const stream = readableLines({ write: (text) => shown.push(text) })
    const line = {
      level: 40,
      time: '2026-11-21T04:05:06.789Z',
      pid: 7,
      jobId: 'j1',
      n: [1],
      msg: 'm',
    }
    stream.write(JSON.stringify(line))
    expect(shown).toEqual(['04:05:06 WARN  m jobId=j1 n=[1]\n'])
  })
})

describe('secrets in a text', () => {
  it('are known in every form, the longest first, and not where they are too short to be any', () => {
    expect(secretTexts(settings)).toEqual(expect.arrayContaining(['p%40ss-word', 'p@ss-word']))
    const short = settingsSchema.parse({ engineKey: 'k' })
    expect(secretTexts(short)).toEqual([])
    expect(withoutSecrets('{"kind":"k"}', secretTexts(short))).toBe('{"kind":"k"}')
    const nested = settingsSchema.parse({ engineKey: 'abcd', redisUrl: 'redis://:abcdef@h' })
    expect(withoutSecrets('abcdef', secretTexts(nested))).toBe('(hidden)')
  })
})
