import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { misfit, PARTS } from './engine/parts.js'

describe('the parts of the engine suite', () => {
  it('are all its files', () => {
    const folder = fileURLToPath(new URL('engine', import.meta.url))
    const files = readdirSync(folder).filter((name) => name.endsWith('.engine.ts'))
    expect(files.sort()).toEqual(
      Object.keys(PARTS)
        .map((name) => `${name}.engine.ts`)
        .sort(),
    )
  })

  it('are run by what they want, and say what they miss', () => {
    const room = { maxModelLen: 8_192, kvBlocksUsable: 2_000 }
    const run = (atHand: Parameters<typeof misfit>[1]) =>
      Object.entries(PARTS).flatMap(([name, wants]) => (misfit(wants, atHand) ? [] : [name]))
    expect(run({ limits: room, kit: null })).toEqual(['samples'])
    expect(run({ limits: { ...room, maxModelLen: 512 }, kit: null })).toEqual(['dialogues'])
    expect(run({ limits: { maxModelLen: 2_048, kvBlocksUsable: 39 }, kit: null })).toEqual([
      'admission',
    ])
    expect(run({ limits: null, kit: '/kit' })).toEqual(['engine-death'])
    expect(run({ limits: room, kit: '/kit' })).toEqual(['samples', 'engine-death'])
    expect(misfit({ kit: true }, { limits: room, kit: null })).toContain('NIGHTSCRIBE_ENGINE_KIT')
    expect(misfit({}, { limits: null, kit: '/kit' })).toContain('NIGHTSCRIBE_TEST_ENGINE')
  })
})
