import type { Settings } from './schema.js'
import type { Setting } from './setting-catalogue.js'
import { settingCatalogue } from './setting-catalogue.js'

const secretPaths: ReadonlySet<string> = new Set(['s3.secretAccessKey', 'engineKey'])

/** What stands in place of a secret. */
export const hiddenMark = '(hidden)'

/**
 * A text without the name and password that a URL in it may carry; `name:password@` is taken out
 * of a misspelled URL, too.
 */
export function withoutCredentials(text: string): string {
  const inUrl = /([a-z][a-z0-9+.-]*:\/\/)[^/?#\s"]*@/gi
  const anywhere = /(^|[\s"',/])[^/?#\s"',@:]*:[^/?#\s"',]*@/g
  return text.replace(inUrl, '$1***@').replace(anywhere, '$1***@')
}

/** A setting's value as it may be shown or logged: keys hidden, URLs without credentials. */
export function showSetting(path: Setting['path'], value: unknown): string {
  if (secretPaths.has(path)) return value === null ? 'null' : hiddenMark
  return withoutCredentials(JSON.stringify(value) ?? 'nothing')
}

/** Every setting by path, as it may be shown or logged. */
export function showSettings(settings: Settings): Record<string, string> {
  return Object.fromEntries(
    settingCatalogue.map(({ path }) => [path, showSetting(path, valueAt(settings, path))]),
  )
}

function valueAt(settings: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce((node, key) => (node as Readonly<Record<string, unknown>>)[key], settings)
}
