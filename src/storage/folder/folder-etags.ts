import { createHash } from 'node:crypto'
import { type FileHandle, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Random } from '../../kernel/random.js'

/** Facts of the file system by which a change of a file's content is noticed. */
export interface FileStamp {
  inode: bigint
  bytes: number
  /** Time of the last change, ns of the Unix epoch. */
  mtimeNs: bigint
}

/** Files below this are hashed again rather than their hash kept on disk: that is cheaper. */
const PERSISTED_BYTES_MIN = 2 ** 20
/** Most hashes in memory, about 200 bytes each; the one unused for longest is dropped first. */
const ENTRIES_MAX = 10_000
const HASH_CHUNK_BYTES = 2 ** 20

/** The stamp of an open file. */
export async function stampOf(handle: FileHandle): Promise<FileStamp> {
  const { ino, size, mtimeNs } = await handle.stat({ bigint: true })
  return { inode: ino, bytes: Number(size), mtimeNs }
}

/** Whether two stamps are of the same content. */
export function sameStamp(a: FileStamp, b: FileStamp): boolean {
  return a.inode === b.inode && a.bytes === b.bytes && a.mtimeNs === b.mtimeNs
}

/** An etag for a file that was not hashed yet; it changes with the content too. */
export function provisionalEtag({ inode, bytes, mtimeNs }: FileStamp): string {
  return `stat-${inode.toString(16)}-${bytes.toString(16)}-${mtimeNs.toString(16)}`
}

/**
 * SHA-256 of a whole file in lower-case hex, read in slices of 1 MiB.
 * @throws the signal's reason, or the file system's error
 */
export async function hashFile(
  handle: FileHandle,
  options: { signal: AbortSignal },
): Promise<string> {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(HASH_CHUNK_BYTES)
  for (let position = 0; ; ) {
    options.signal.throwIfAborted()
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, position)
    if (bytesRead === 0) return hash.digest('hex')
    hash.update(buffer.subarray(0, bytesRead))
    position += bytesRead
  }
}

/**
 * A cache of hashes by stamp: in memory, and for files of 1 MiB and more also in one small file per
 * inode, so that a recording isn't hashed again after a restart or by another process. An error of
 * the cache costs the time of a hash, and never gives a wrong one.
 */
export class FolderEtags {
  private readonly known = new Map<bigint, FileStamp & { etag: string }>()
  private readonly folder: string
  private readonly random: Random

  constructor(folder: string, random: Random) {
    this.folder = folder
    this.random = random
  }

  async find(stamp: FileStamp): Promise<string | null> {
    const entry = this.known.get(stamp.inode)
    if (entry && sameStamp(entry, stamp)) {
      this.keep(entry)
      return entry.etag
    }
    if (stamp.bytes < PERSISTED_BYTES_MIN) return null
    const etag = await this.load(stamp)
    if (etag) this.keep({ ...stamp, etag })
    return etag
  }

  async remember(stamp: FileStamp, etag: string): Promise<void> {
    this.keep({ ...stamp, etag })
    if (stamp.bytes < PERSISTED_BYTES_MIN) return
    const path = this.pathOf(stamp)
    const temporary = `${path}.${this.random.hexId(8)}`
    try {
      await mkdir(join(path, '..'), { recursive: true })
      await writeFile(temporary, lineOf(stamp, etag))
      await rename(temporary, path)
    } catch {
      // A hash that can't be kept is computed again.
      await rm(temporary, { force: true }).catch(() => {})
    }
  }

  async forget(stamp: FileStamp): Promise<void> {
    this.known.delete(stamp.inode)
    if (stamp.bytes < PERSISTED_BYTES_MIN) return
    // An entry that stays does no harm: it matches no stamp of another file.
    await rm(this.pathOf(stamp), { force: true }).catch(() => {})
  }

  private keep(entry: FileStamp & { etag: string }): void {
    this.known.delete(entry.inode)
    this.known.set(entry.inode, entry)
    if (this.known.size <= ENTRIES_MAX) return
    const oldest = this.known.keys().next()
    if (!oldest.done) this.known.delete(oldest.value)
  }

  private async load(stamp: FileStamp): Promise<string | null> {
    // A missing entry is normal: only files of 1 MiB and more have one.
    const text = await readFile(this.pathOf(stamp), 'utf8').catch(() => '')
    const etag = text.slice(0, 64)
    return /^[0-9a-f]{64}$/.test(etag) && text === lineOf(stamp, etag) ? etag : null
  }

  private pathOf({ inode }: FileStamp): string {
    const name = inode.toString(16).padStart(2, '0')
    return join(this.folder, name.slice(-2), name)
  }
}

const lineOf = (stamp: FileStamp, etag: string) =>
  `${etag} ${stamp.inode} ${stamp.bytes} ${stamp.mtimeNs}\n`
