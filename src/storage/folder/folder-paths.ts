import { mkdir, open, realpath } from 'node:fs/promises'
import { InputError, systemCode } from '../../kernel/errors.js'
import { namesOfKey } from '../key-path.js'

const SLASH = Buffer.from('/')

/**
 * The paths of the objects in a root folder. Paths are bytes, because names on disk needn't be
 * UTF-8. Links inside the root are followed, and a link that leaves it is refused.
 */
export class FolderPaths {
  readonly root: string
  private readonly rootBytes: Buffer

  /** @param root absolute and free of links */
  constructor(root: string) {
    this.root = root
    this.rootBytes = Buffer.from(root)
  }

  /** The path of a key, whether it exists or not; it may contain links. */
  pathOf(key: string): Buffer {
    return joinNames(this.rootBytes, namesOfKey(key))
  }

  /** The folder of a key prefix that is empty or ends with a slash, with its links resolved. */
  async folder(prefix: string): Promise<Buffer> {
    if (prefix === '') return this.rootBytes
    return await this.existing(prefix.slice(0, -1))
  }

  /**
   * The path of an existing file or folder, with its links resolved.
   * @throws InputError `input_forbidden` where it is outside the root; the file system's error
   */
  async existing(key: string): Promise<Buffer> {
    return await this.inside(this.pathOf(key), key)
  }

  /** The folder of an object, with its links resolved; null where it doesn't exist. */
  async parent(key: string): Promise<Buffer | null> {
    try {
      return await this.inside(parentOf(this.pathOf(key)), key)
    } catch (error) {
      if (isAbsent(error)) return null
      throw error
    }
  }

  /**
   * Creates the folder of an object where needed; it survives a loss of power once this resolves.
   */
  async makeParent(key: string): Promise<Buffer> {
    const wanted = parentOf(this.pathOf(key))
    const missing: Buffer[] = []
    let path = wanted
    for (;;) {
      const real = await this.inside(path, key).catch((error) => {
        if (systemCode(error) === 'ENOENT' && path.length > this.rootBytes.length) return null
        throw error
      })
      if (real && missing.length === 0) return real
      if (real) break
      missing.push(path)
      path = parentOf(path)
    }
    await mkdir(wanted, { recursive: true })
    const made = await this.inside(wanted, key)
    for (const folder of missing) await syncFolder(parentOf(folder))
    return made
  }

  /** Resolves the links of a path. @throws InputError where they leave the root */
  async inside(path: Buffer, key: string): Promise<Buffer> {
    const real = await realpath(path, { encoding: 'buffer' })
    const root = this.rootBytes
    const below = real.subarray(0, root.length).equals(root) && real[root.length] === SLASH[0]
    if (real.equals(root) || below) return real
    throw new InputError(
      'input_forbidden',
      `${key} in ${this.root} lies behind a link that leaves that folder: ` +
        'move it inside, or set NIGHTSCRIBE_STORAGE to where it is.',
      { facts: { key } },
    )
  }
}

/** A path with further names below it. */
export function joinNames(path: Buffer, names: readonly Buffer[]): Buffer {
  return Buffer.concat([path, ...names.flatMap((name) => [SLASH, name])])
}

/** Syncs a folder, so that files created, renamed or removed in it survive a loss of power. */
export async function syncFolder(path: Buffer): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Whether an error says that a file or folder doesn't exist. */
export function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes(systemCode(error) ?? '')
}

function parentOf(path: Buffer): Buffer {
  return path.subarray(0, path.lastIndexOf(SLASH))
}
