import { type Setting, settingCatalogue } from './setting-catalogue.js'

/**
 * The text of `.env.example`: every setting as its variable with its default, each commented out, a
 * paragraph for each group of the schema. What a setting means stands in `config/default.yaml`.
 */
export function envExample(): string {
  const groups = new Map<string, string[]>()
  for (const setting of settingCatalogue) {
    const group = setting.path.includes('.') ? (setting.path.split('.')[0] ?? '') : ''
    groups.set(group, [...(groups.get(group) ?? []), lineOf(setting)])
  }
  const head = [
    '# Every setting with its default. Copy this file to .env and take the # off what you change.',
    '# What each one means: config/default.yaml.',
  ].join('\n')
  return `${[head, ...[...groups.values()].map((lines) => lines.join('\n'))].join('\n\n')}\n`
}

function lineOf({ environmentName, defaultValue }: Setting): string {
  const items = Array.isArray(defaultValue) ? defaultValue : [defaultValue ?? 'none']
  return `# ${environmentName}=${items.length === 0 ? 'none' : items.join(',')}`
}
