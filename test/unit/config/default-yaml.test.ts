import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { settingsSchema } from '../../../src/config/schema.js'
import { settingCatalogue } from '../../../src/config/setting-catalogue.js'

const text = readFileSync(new URL('../../../config/default.yaml', import.meta.url), 'utf8')

describe('config/default.yaml', () => {
  it('equals the defaults, with no setting left out', () => {
    expect(parse(text)).toStrictEqual(settingsSchema.parse({}))
  })

  it('lists the settings in the order of the schema', () => {
    const keys = [...text.matchAll(/^\s*([a-zA-Z0-9]+):/gm)].map((match) => match[1])
    const expected = settingCatalogue.flatMap(({ path }, index) => {
      const [section, ...rest] = path.split('.')
      const isFirst = settingCatalogue[index - 1]?.path.split('.')[0] !== section
      return rest.length > 0 && isFirst ? [section, ...rest] : rest.length > 0 ? rest : [section]
    })
    expect(keys).toStrictEqual(expected)
  })

  it('names a unit beside every length of time and every size', () => {
    const lines = text.split('\n')
    const bare = lines.filter((line, index) => {
      if (!/^\s*\w+(Ms|BytesMax):/.test(line)) return false
      const unit = line.includes('Bytes') ? /bytes/ : /\bms\b/
      const above = lines.slice(Math.max(0, index - 3), index)
      return !above.some((comment) => comment.trim().startsWith('#') && unit.test(comment))
    })
    expect(bare).toStrictEqual([])
  })
})
