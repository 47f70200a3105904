import type { Setting } from './setting-catalogue.js'

/**
 * The value that a text from the environment, `.env` or the command line means for a setting.
 * `null` and `none` unset what may be unset and empty a list; lists are separated by commas. A text
 * that doesn't fit the kind comes back as it is, for the schema to refuse.
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
