import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { envExample } from '../../../src/config/env-example.js'
import { loadSettings } from '../../../src/config/load-settings.js'
import { settingCatalogue } from '../../../src/config/setting-catalogue.js'

const cwd = fileURLToPath(new URL('.', import.meta.url)) // without a config folder

describe('.env.example', () => {
  it('has every setting once', () => {
    const names = [...envExample().matchAll(/^# (NIGHTSCRIBE_\w+)=/gm)].map(([, name]) => name)
    expect(names.sort()).toEqual(settingCatalogue.map((each) => each.environmentName).sort())
  })

  it('changes nothing where all of it is taken over', () => {
    const lines = envExample().matchAll(/^# (NIGHTSCRIBE_\w+)=(.*)$/gm)
    const env = Object.fromEntries([...lines].map(([, name, value]) => [name, value]))
    expect(loadSettings({ cwd, env }).settings).toEqual(loadSettings({ cwd, env: {} }).settings)
  })
})
