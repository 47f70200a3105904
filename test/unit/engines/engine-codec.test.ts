import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseModels, parseVersion } from '../../../src/engines/engine-codec.js'

const model = fc.record({
  id: fc.string(),
  maxModelLen: fc.option(fc.integer({ min: 1, max: 1_000_000 }), { nil: null }),
})

describe('what an engine tells over HTTP', () => {
  it('is its models, with whatever else stands there', () => {
    fc.assert(
      fc.property(fc.array(model), fc.jsonValue(), (models, more) => {
        const data = models.map(({ id, maxModelLen }) => {
          return { object: 'model', id, max_model_len: maxModelLen, permission: more }
        })
        expect(parseModels({ object: 'list', data })).toEqual(models)
      }),
    )
  })

  it('may leave out how long a session may be', () => {
    expect(parseModels({ data: [{ id: 'm' }] })).toEqual([{ id: 'm', maxModelLen: null }])
  })

  it('is nothing where it has another shape', () => {
    const field = fc.oneof(fc.jsonValue(), fc.array(fc.record({ id: fc.jsonValue() })))
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.record({ data: field, version: field })), (json) => {
        const models = parseModels(json)
        if (models !== null) {
          for (const { id, maxModelLen } of models) {
            expect(id).toBeTypeOf('string')
            expect(maxModelLen === null || Number.isInteger(maxModelLen)).toBe(true)
          }
        }
        const version = parseVersion(json)
        if (version !== null) expect(json).toMatchObject({ version })
      }),
    )
  })

  it('is its version', () => {
    expect(parseVersion({ version: '0.32.0' })).toBe('0.32.0')
    expect(parseVersion({ version: 32 })).toBeNull()
  })
})
