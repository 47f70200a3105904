import type { Setting } from './setting-catalogue.js'

/**
 * Parses a setting's text from the environment, `.env` or the command line. `null` and `none` unset
 * a nullable setting and empty a list; commas separate the items of a list. A text of the wrong
 * kind is returned unchanged, so that the schema refuses it.
 */
export function valueOfText(setting: Setting, text: string): unknown {
  const trimmed = text.trim()
  const isNone = /^(null|none)$/i.test(trimmed)
  if (setting.nullable && isNone) return null
  switch (setting.kind) {
    case 'list':
      return isNone ? [] : itemsOf(trimmed)
    case 'number':
      return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(trimmed) ? Number(trimmed) : text
    case 'boolean':
      if (/^(true|yes|on|1)$/i.test(trimmed)) return true
      if (/^(false|no|off|0)$/i.test(trimmed)) return false
      return text
    case 'text':
      return trimmed
  }
}

function itemsOf(text: string): string[] {
  const items = text.split(',').map((item) => item.trim())
  return items.filter((item) => item !== '')
}
