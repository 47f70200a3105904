import { mkdir, open, realpath } from 'node:fs/promises'
import { InputError, systemCode } from '../../kernel/errors.js'
import { namesOfKey } from '../key-path.js'

const SLASH = Buffer.from('/')

/**
 * Where the objects of a folder lie. Paths are bytes, because names on disk needn't be UTF-8. Links
 * are followed as long as they stay inside the folder; one that leads out is refused.
 */
export class FolderPaths {
  readonly root: string
  private readonly rootBytes: Buffer

  /** @param root absolute and free of links */
  constructor(root: string) {
    this.root = root
    this.rootBytes = Buffer.from(root)
  }

  /** The path of a key, whether there is something or not; nothing is known of links in it. */
  pathOf(key: string): Buffer {
    return joinNames(this.rootBytes, namesOfKey(key))
  }

  /** The folder a key prefix that ends with a slash (or is empty) is of, free of links. */
  async folder(prefix: string): Promise<Buffer> {
    if (prefix === '') return this.rootBytes
    return await this.existing(prefix.slice(0, -1))
  }

  /**
   * The path of something that exists, free of links.
   * @throws InputError `input_forbidden` when it lies outside; the file system's error
   */
  async existing(key: string): Promise<Buffer> {
    return await this.inside(this.pathOf(key), key)
  }

  /** The folder an object lies in, free of links; null when there is none. */
  async parent(key: string): Promise<Buffer | null> {
    try {
      return await this.inside(parentOf(this.pathOf(key)), key)
    } catch (error) {
      if (isAbsent(error)) return null
      throw error
    }
  }

  /** The folder an object shall lie in, made where needed, on disk for good when this resolves. */
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

  /** Whether a link inside the folder stays inside; follows it. */
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

/** Makes what was created, renamed or removed in a folder survive a loss of power. */
export async function syncFolder(path: Buffer): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Nothing is there, so nothing needs to be done about it. */
export function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes(systemCode(error) ?? '')
}

function parentOf(path: Buffer): Buffer {
  return path.subarray(0, path.lastIndexOf(SLASH))
}
