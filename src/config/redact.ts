import type { Settings } from './schema.js'
import type { Setting } from './setting-catalogue.js'

const secretPaths: ReadonlySet<string> = new Set(['s3.secretAccessKey', 'engineKey'])

/** Text shown instead of a secret. */
export const hiddenMark = '(hidden)'

/**
 * The text without user names and passwords of URLs, and without any other `name:password@`, as a
 * misspelled URL has it.
 */
export function withoutCredentials(text: string): string {
  const inUrl = /([a-z][a-z0-9+.-]*:\/\/)[^/?#\s"]*@/gi
  const anywhere = /(^|[\s"',/])[^/?#\s"',@:]*:[^/?#\s"',]*@/g
  return text.replace(inUrl, '$1***@').replace(anywhere, '$1***@')
}

/** Secrets below 4 characters aren't searched: they occur in ordinary text, and protect nothing. */
const SECRET_CHARS_MIN = 4

/** Every secret of the settings in each form it may have in a text: keys, and passwords of URLs. */
export function secretTexts(settings: Settings): string[] {
  const { engineKey, s3, redisUrl, engines } = settings
  const inUrls = [redisUrl, s3.endpoint, ...engines].flatMap((url) => {
    const [, userInfo = ''] = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)@/i.exec(url ?? '') ?? []
    const password = userInfo.slice(userInfo.indexOf(':') + 1)
    return [userInfo, password, decoded(password)]
  })
  const texts = [engineKey ?? '', s3.secretAccessKey ?? '', ...inUrls]
  return [...new Set(texts)]
    .filter((text) => text.length >= SECRET_CHARS_MIN)
    .sort((one, other) => other.length - one.length) // longest first: one may contain another
}

/**
 * A text or JSON line with the given secrets hidden, and so everything that has the form of a
 * credential: signed URL parameters, bearer keys, passwords in URLs.
 */
export function withoutSecrets(line: string, secrets: readonly string[]): string {
  let hidden = line
  for (const secret of secrets) {
    hidden = hidden.replaceAll(secret, hiddenMark)
    hidden = hidden.replaceAll(JSON.stringify(secret).slice(1, -1), hiddenMark)
  }
  const signed = /([?&](?:X-Amz-[\w-]+|AWSAccessKeyId|Signature|token|key)=)[^&\s"\\]+/gi
  const bearer = /(\bBearer\s+)[\w.~+/=-]+/gi
  return withoutCredentials(hidden)
    .replace(signed, `$1${hiddenMark}`)
    .replace(bearer, `$1${hiddenMark}`)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text // not percent-encoded: it has only this form
  }
}

/** A setting's value in a form safe to show or log: keys hidden, URLs without credentials. */
export function showSetting(path: Setting['path'], value: unknown): string {
  if (secretPaths.has(path)) return value === null ? 'null' : hiddenMark
  return withoutCredentials(JSON.stringify(value) ?? 'nothing')
}
