import { LineCounter, parseDocument } from 'yaml'
import { nearestName } from './nearest-name.js'
import { settingCatalogue } from './setting-catalogue.js'
import type { SourceReading } from './setting-source.js'

/**
 * Reads the settings in a YAML text. Wrong YAML, unknown keys and sections without settings become
 * problems. Values keep their YAML types; the schema checks them later.
 *
 * @param fileName shown to people, relative to the project: `config/default.yaml`
 */
export function settingsInYaml(text: string, fileName: string): SourceReading {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false })
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => ({
      source: `${fileName}: line ${lineCounter.linePos(error.pos[0]).line}`,
      sentence: error.message,
    }))
    return { given: [], problems }
  }
  const reading: SourceReading = { given: [], problems: [] }
  const content: unknown = document.toJS()
  if (content === null) return reading // empty, or comments only
  if (!isMapping(content)) {
    const sentence = 'must hold settings by name, such as "storage: data"'
    return { given: [], problems: [{ source: fileName, sentence }] }
  }
  walk(content, [], fileName, reading)
  return reading
}

function walk(
  mapping: Readonly<Record<string, unknown>>,
  above: readonly string[],
  fileName: string,
  reading: SourceReading,
): void {
  for (const [key, value] of Object.entries(mapping)) {
    const path = [...above, key].join('.')
    const source = `${fileName}: ${path}`
    if (settingCatalogue.some((setting) => setting.path === path)) {
      reading.given.push({ path, value, source })
    } else if (!settingCatalogue.some((setting) => setting.path.startsWith(`${path}.`))) {
      reading.problems.push({ source, sentence: `there is no such setting${hintFor(path)}` })
    } else if (isMapping(value)) {
      walk(value, [...above, key], fileName, reading)
    } else if (value !== null) {
      reading.problems.push({
        source,
        sentence: 'is a section: put its settings under it, indented',
      })
    }
  }
}

function hintFor(path: string): string {
  const nearest = nearestName(
    path,
    settingCatalogue.map((setting) => setting.path),
  )
  return nearest === null ? '; config/default.yaml lists all settings' : `; is it ${nearest}?`
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
