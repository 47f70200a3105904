import { describe, expect, it } from 'vitest'
import { durabilityWarnings, requireNoEviction } from '../../../src/redis/redis-durability.js'
import { redisFailure } from '../../../src/redis/redis-failure.js'

const durable = {
  evictionPolicy: 'noeviction',
  hasAof: true,
  memoryBytes: 100,
  memoryBytesMax: 1_000,
}
const url = 'redis://user:secret@redis.local:6380'

describe('what a Redis must not do', () => {
  it.each(['noeviction', null])('the policy %s is let through', (evictionPolicy) => {
    expect(() => requireNoEviction({ ...durable, evictionPolicy }, url)).not.toThrow()
  })

  it.each(['allkeys-lru', 'volatile-lru', 'volatile-ttl', 'allkeys-random'])(
    'the policy %s is refused, with the line that mends it and without the password',
    (evictionPolicy) => {
      const refuse = () => requireNoEviction({ ...durable, evictionPolicy }, url)
      expect(refuse).toThrow(
        'redis-cli -u redis://…@redis.local:6380 CONFIG SET maxmemory-policy noeviction',
      )
      expect(refuse).not.toThrow(/secret/)
    },
  )

  it.each([
    ['nothing', {}, 0],
    ['no file of its writes', { hasAof: false }, 1],
    ['who does not tell', { hasAof: null, memoryBytes: null, memoryBytesMax: null }, 0],
    ['no limit', { memoryBytes: 2 ** 40, memoryBytesMax: 0 }, 0],
    ['nearly full', { memoryBytes: 801 }, 1],
    ['just not nearly full', { memoryBytes: 800 }, 0],
  ])('%s', (_, changes, warnings) => {
    expect(durabilityWarnings({ ...durable, ...changes }, url)).toHaveLength(warnings)
  })
})

describe('what a refusal of Redis is called', () => {
  const refused = (message: string) => redisFailure(new Error(message))

  it.each([
    ["OOM command not allowed when used memory > 'maxmemory'.", /memory is full.*\(OOM\)\.$/],
    ['MISCONF Errors writing to the AOF file: No space left on device', /disk.*\(MISCONF\)\.$/],
    ["READONLY You can't write against a read only replica.", /replica.*\(READONLY\)\.$/],
    ['LOADING Redis is loading the dataset in memory', /after a start \(LOADING\)\.$/],
  ])('%s', (message, words) => {
    const error = refused(message)
    expect(error).toMatchObject({ code: 'queue_unavailable', retryable: true, effect: 'none' })
    expect(error.message).toMatch(words)
  })

  it('names the cause of a transaction that was discarded', () => {
    const previousErrors = [new Error('OOM command not allowed')]
    const discarded = Object.assign(new Error('EXECABORT Transaction discarded'), {
      previousErrors,
    })
    expect(redisFailure(discarded).message).toContain('memory is full')
  })

  it('leaves open what a lost connection has done', () => {
    const error = refused('Connection is closed.')
    expect(error).toMatchObject({
      effect: 'unknown',
      message: 'Redis failed: Connection is closed.',
    })
  })
})
