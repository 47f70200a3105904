import type { Settings } from './schema.js'
import type { Setting } from './setting-catalogue.js'

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

/** Shorter ones would be found everywhere; no key that keeps anybody out is so short. */
const SECRET_CHARS_MIN = 4

/** Every secret of the settings as it may turn up in a text: keys, and passwords in URLs. */
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
    .sort((one, other) => other.length - one.length) // one may be part of another
}

/** A line of JSON, or any text, without these secrets and without what opens doors by its form. */
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
    return text // no proper URL: then it stands in no other form either
  }
}

/** A setting's value as it may be shown or logged: keys hidden, URLs without credentials. */
export function showSetting(path: Setting['path'], value: unknown): string {
  if (secretPaths.has(path)) return value === null ? 'null' : hiddenMark
  return withoutCredentials(JSON.stringify(value) ?? 'nothing')
}
