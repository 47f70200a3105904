import {
  ConfigError,
  InputError,
  NightscribeError,
  reasonOf,
  systemCode,
  UpstreamError,
} from '../../kernel/errors.js'

const MISSING = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG', 'ELOOP'])
const FORBIDDEN = new Set(['EACCES', 'EPERM'])
/** Codes for a folder at the path of an object, or a file at the path of a folder. */
const IN_THE_WAY = new Set(['EISDIR', 'ENOTDIR', 'EEXIST', 'ENOTEMPTY'])

/** Maps an error of the file system during a read to a class and a sentence. */
export function folderReadError(error: unknown, key: string, root: string): NightscribeError {
  if (error instanceof NightscribeError) return error
  const code = systemCode(error)
  const options = { cause: error, facts: { key, errno: code } }
  if (code && MISSING.has(code)) return notFound(key, root, error)
  if (code && FORBIDDEN.has(code)) {
    return new InputError(
      'input_forbidden',
      `${key} in ${root} can't be read (${code}): give this user the right to read it.`,
      options,
    )
  }
  return new UpstreamError(
    'storage_unavailable',
    `Reading ${key} in ${root} failed (${reasonOf(error)}): check the disk.`,
    { ...options, effect: 'none' },
  )
}

/** The error for an object that doesn't exist. */
export function notFound(key: string, root: string, cause?: unknown): InputError {
  return new InputError('input_not_found', `There is no ${key} in ${root}.`, {
    cause,
    facts: { key },
  })
}

/** The error for an object with another content than requested, or one changed during a read. */
export function contentChanged(key: string, root: string): InputError {
  return new InputError(
    'media_changed',
    `${key} in ${root} was changed after it was first looked at: submit it again.`,
    { facts: { key } },
  )
}

/** Maps an error during a put or delete, which leaves nothing behind, to a class and a sentence. */
export function folderWriteError(error: unknown, key: string, root: string): NightscribeError {
  if (error instanceof NightscribeError) return error
  const code = systemCode(error)
  const options = { cause: error, facts: { key, errno: code }, effect: 'none' as const }
  if (code && IN_THE_WAY.has(code)) {
    return new InputError(
      'input_unsupported',
      `${key} can't be stored in ${root}: a folder can't hold both an object and objects below it.`,
      options,
    )
  }
  return new UpstreamError(
    'output_write_failed',
    `${key} can't be stored in ${root} (${reasonOf(error)}): ${remedy(code)}.`,
    options,
  )
}

/** The error for a folder that can't be used as a store. */
export function folderUnusable(error: unknown, root: string): ConfigError {
  const code = systemCode(error)
  return new ConfigError(
    'config_invalid',
    `The folder ${root} can't be used as storage (${reasonOf(error)}): ${remedy(code)}, ` +
      'or set NIGHTSCRIBE_STORAGE to another one.',
    { cause: error, facts: { root, errno: code } },
  )
}

function remedy(code: string | null): string {
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'make room on that disk'
    case 'EROFS':
      return 'the disk is mounted read-only, make it writable'
    case 'EACCES':
    case 'EPERM':
      return 'give this user the right to write there'
    case 'EEXIST':
    case 'ENOTDIR':
      return 'a file has that name, move it away'
    case 'ENOTSUP':
    case 'EOPNOTSUPP':
    case 'EMLINK':
      return 'its file system has no hard links, which safe commits need'
    case 'EXDEV':
      return 'a folder inside it is another disk, mount that elsewhere'
    default:
      return 'check the disk'
  }
}
