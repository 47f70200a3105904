/**
 * What kind of place an address names that a person wrote, in a setting, an argument or a field of
 * a request. Only this file knows how such addresses begin.
 */
export type Location =
  /** `s3://bucket/key`; `bucket` is empty where the address names none. */
  | { kind: 's3'; bucket: string; key: string }
  | { kind: 'http'; url: string }
  /** A file or a folder. */
  | { kind: 'path'; path: string }
  /** Some other kind of address, such as `ftp://…`. */
  | { kind: 'other'; text: string }

/** The kind of an address. Pure; decodes and checks nothing beyond how the address begins. */
export function locationOf(text: string): Location {
  const s3 = /^s3:\/\/([^/]*)\/?(.*)$/s.exec(text)
  if (s3) return { kind: 's3', bucket: s3[1] ?? '', key: s3[2] ?? '' }
  if (/^https?:\/\//.test(text)) return { kind: 'http', url: text }
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(text)) return { kind: 'other', text }
  return { kind: 'path', path: text }
}

/** The address of a bucket, or of an object or prefix in it. */
export function s3Address(bucket: string, key = ''): string {
  return key === '' ? `s3://${bucket}` : `s3://${bucket}/${key}`
}
