import { constants } from 'node:fs'
import {
  type FileHandle,
  link,
  mkdir,
  open,
  realpath,
  rm,
  stat,
  unlink,
  writeFile,
} from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Clock } from '../../kernel/clock.js'
import type { Random } from '../../kernel/random.js'
import { assertRange, rangeBehindEnd } from '../byte-range.js'
import type {
  ByteRange,
  ObjectHead,
  ObjectRead,
  ObjectStore,
  PutOptions,
  UnfinishedPut,
} from '../index.js'
import { namesOfKey } from '../key-path.js'
import { ObjectBody } from '../object-body.js'
import { SourceFailure } from '../source-chunks.js'
import { assertStorable } from '../storable-key.js'
import {
  contentChanged,
  folderReadError,
  folderUnusable,
  folderWriteError,
  notFound,
} from './folder-error.js'
import {
  type FileStamp,
  FolderEtags,
  hashFile,
  provisionalEtag,
  sameStamp,
  stampOf,
} from './folder-etags.js'
import { listFolder } from './folder-listing.js'
import { FolderPaths, isAbsent, joinNames, syncFolder } from './folder-paths.js'
import { publish, type WrittenFile, writeTemporary } from './folder-put.js'
import { removeTemporary, temporaryFiles } from './folder-temporaries.js'

const READ_CHUNK_BYTES = 256 * 1024
const TEMPORARY = '.tmp'
const META = '.meta'
/**
 * A file changed less than 2 s ago may change again without another time stamp: no hash is kept.
 */
const SETTLED_MS = 2_000

/** Options of a folder store. */
export interface FolderStoreOptions {
  /** Path of the folder, relative to the working directory; created where it doesn't exist. */
  root: string
  clock: Clock
  random: Random
}

/**
 * Opens a folder as object storage. Objects are plain files (for names see `key-path.ts`),
 * including files that people put there; etags are SHA-256. Several processes can use it at once.
 *
 * Differences to S3: a key can't be both an object and the folder of others, deleting leaves empty
 * folders, and a listing gives a provisional etag for files that were not hashed yet.
 *
 * @throws ConfigError where the folder can't be created or written, or has no hard links
 */
export async function openFolderStore(options: FolderStoreOptions): Promise<ObjectStore> {
  const wanted = resolve(options.root)
  try {
    await mkdir(wanted, { recursive: true })
    const root = await realpath(wanted)
    const temporary = join(root, TEMPORARY)
    await mkdir(temporary, { recursive: true })
    await proveLinks(temporary, options.random)
    return new FolderObjectStore(root, options)
  } catch (error) {
    throw folderUnusable(error, wanted)
  }
}

async function proveLinks(folder: string, random: Random): Promise<void> {
  const path = join(folder, random.hexId(16))
  try {
    await writeFile(path, '', { flag: 'wx' })
    await link(path, `${path}.link`)
  } finally {
    await rm(path, { force: true })
    await rm(`${path}.link`, { force: true })
  }
}

class FolderObjectStore implements ObjectStore {
  readonly location: string
  readonly bucket = 'folder'
  private readonly paths: FolderPaths
  private readonly etags: FolderEtags
  private readonly clock: Clock
  private readonly random: Random

  constructor(root: string, { clock, random }: FolderStoreOptions) {
    this.location = root
    this.paths = new FolderPaths(root)
    this.etags = new FolderEtags(join(root, META, 'etags'), random)
    this.clock = clock
    this.random = random
  }

  async head(key: string, options: { signal: AbortSignal }): Promise<ObjectHead> {
    return await this.reading(key, options, async () => {
      const { handle, stamp } = await this.openFile(key)
      try {
        return headOf(key, stamp, await this.etagOf(key, { handle, stamp }, options))
      } finally {
        await handle.close()
      }
    })
  }

  async get(
    key: string,
    options: { signal: AbortSignal; range?: ByteRange; etag?: string },
  ): Promise<ObjectRead> {
    assertRange(options.range)
    return await this.reading(key, options, async () => {
      const { handle, stamp } = await this.openFile(key)
      try {
        const etag = await this.pinnedEtag(key, { handle, stamp }, options)
        const { startByte, endByte } = this.clip(key, stamp.bytes, options.range)
        const chunks = this.chunks(key, { handle, stamp }, { startByte, endByte })
        const body = new ObjectBody(chunks, () => handle.close(), options)
        return { head: headOf(key, stamp, etag), contentBytes: endByte - startByte, body }
      } catch (error) {
        await handle.close()
        throw error
      }
    })
  }

  async put(
    key: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options: PutOptions,
  ): Promise<{ kind: 'stored'; head: ObjectHead } | { kind: 'exists' }> {
    assertStorable(key)
    const { signal, onlyIfAbsent = false } = options
    try {
      signal.throwIfAborted()
      if (onlyIfAbsent && (await this.isTaken(key))) return { kind: 'exists' }
      const temporary = join(this.location, TEMPORARY)
      await using file: WrittenFile = await writeTemporary(temporary, body, {
        signal,
        random: this.random,
      })
      signal.throwIfAborted()
      if (!(await publish(this.paths, key, { file, onlyIfAbsent }))) return { kind: 'exists' }
      await this.etags.remember(file.stamp, file.etag)
      return { kind: 'stored', head: headOf(key, file.stamp, file.etag) }
    } catch (error) {
      if (signal.aborted) throw signal.reason
      if (error instanceof SourceFailure) throw error.cause
      throw folderWriteError(error, key, this.location)
    }
  }

  async *list(prefix: string, options: { signal: AbortSignal }): AsyncIterable<ObjectHead> {
    for await (const { key, stats } of listFolder(this.paths, prefix, options)) {
      const { ino: inode, size, mtimeNs } = stats
      const stamp = { inode, bytes: Number(size), mtimeNs }
      yield headOf(key, stamp, (await this.etags.find(stamp)) ?? provisionalEtag(stamp))
    }
  }

  async delete(key: string, { signal }: { signal: AbortSignal }): Promise<void> {
    try {
      signal.throwIfAborted()
      const folder = await this.paths.parent(key)
      if (!folder) return
      const path = joinNames(folder, namesOfKey(key).slice(-1))
      // The stamp is only needed to remove the hash from the cache.
      const stats = await stat(path, { bigint: true }).catch(() => null)
      if (stats?.isDirectory()) return
      await unlink(path)
      await syncFolder(folder)
      if (!stats) return
      const { ino: inode, size, mtimeNs } = stats
      await this.etags.forget({ inode, bytes: Number(size), mtimeNs })
    } catch (error) {
      if (signal.aborted) throw signal.reason
      if (!isAbsent(error)) throw folderWriteError(error, key, this.location)
    }
  }

  async *unfinished(options: { signal: AbortSignal }): AsyncIterable<UnfinishedPut> {
    yield* temporaryFiles(join(this.location, TEMPORARY), options)
  }

  async dropUnfinished(put: UnfinishedPut, { signal }: { signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted()
    await removeTemporary(join(this.location, TEMPORARY), put)
  }

  /** A `file:` URL; it has no end of validity. */
  async address(key: string, options: { signal: AbortSignal; validMs: number }): Promise<string> {
    return await this.reading(key, options, async () => fileUrl(await this.paths.existing(key)))
  }

  private async reading<T>(
    key: string,
    { signal }: { signal: AbortSignal },
    work: () => Promise<T>,
  ): Promise<T> {
    try {
      signal.throwIfAborted()
      return await work()
    } catch (error) {
      if (signal.aborted) throw signal.reason
      throw folderReadError(error, key, this.location)
    }
  }

  private async openFile(key: string): Promise<{ handle: FileHandle; stamp: FileStamp }> {
    const path = await this.paths.existing(key)
    // Opened without blocking: opening a named pipe in the folder would otherwise never return.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
    const handle = await open(path, flags)
    try {
      if (!(await handle.stat()).isFile()) throw notFound(key, this.location)
      return { handle, stamp: await stampOf(handle) }
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  private async pinnedEtag(
    key: string,
    file: { handle: FileHandle; stamp: FileStamp },
    options: { signal: AbortSignal; etag?: string },
  ): Promise<string> {
    if (options.etag === provisionalEtag(file.stamp)) return options.etag
    const etag = await this.etagOf(key, file, options)
    if (options.etag !== undefined && options.etag !== etag) {
      throw contentChanged(key, this.location)
    }
    return etag
  }

  private async etagOf(
    key: string,
    { handle, stamp }: { handle: FileHandle; stamp: FileStamp },
    options: { signal: AbortSignal },
  ): Promise<string> {
    const known = await this.etags.find(stamp)
    if (known) return known
    const etag = await hashFile(handle, options)
    if (!sameStamp(stamp, await stampOf(handle))) throw contentChanged(key, this.location)
    // The distance to now, since a copied file may have a time in the future.
    const ageMs = Math.abs(this.clock.wallMs() - mtimeMs(stamp))
    if (ageMs > SETTLED_MS) await this.etags.remember(stamp, etag)
    return etag
  }

  private clip(key: string, bytes: number, range: ByteRange = { startByte: 0 }) {
    const { startByte, endByte = bytes } = range
    if (startByte > 0 && startByte >= bytes) throw rangeBehindEnd(key, range, bytes)
    return { startByte, endByte: Math.min(endByte, bytes) }
  }

  private async *chunks(
    key: string,
    { handle, stamp }: { handle: FileHandle; stamp: FileStamp },
    range: { startByte: number; endByte: number },
  ): AsyncGenerator<Uint8Array, void, void> {
    try {
      for (let position = range.startByte; position < range.endByte; ) {
        const buffer = Buffer.allocUnsafe(Math.min(READ_CHUNK_BYTES, range.endByte - position))
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, position)
        if (bytesRead === 0) throw contentChanged(key, this.location)
        position += bytesRead
        // Checked before the last bytes are given out: a file that changed during the read must not
        // be read to its end as a mixture of two contents.
        if (position === range.endByte && !sameStamp(stamp, await stampOf(handle))) {
          throw contentChanged(key, this.location)
        }
        yield buffer.subarray(0, bytesRead)
      }
    } catch (error) {
      throw folderReadError(error, key, this.location)
    }
  }

  private async isTaken(key: string): Promise<boolean> {
    const folder = await this.paths.parent(key)
    if (!folder) return false
    const path = joinNames(folder, namesOfKey(key).slice(-1))
    // Saves writing the body for an existing key; the atomic check is that of `link` in `publish`.
    const found = await stat(path).catch(() => null)
    return found?.isFile() ?? false
  }
}

const mtimeMs = ({ mtimeNs }: FileStamp) => Number(mtimeNs / 1_000_000n)

function headOf(key: string, stamp: FileStamp, etag: string): ObjectHead {
  return { key, bytes: stamp.bytes, etag, versionId: null, modifiedMs: mtimeMs(stamp) }
}

/** The `file:` URL of a path, encoded byte by byte because a path needn't be UTF-8. */
function fileUrl(path: Buffer): string {
  let url = 'file://'
  for (const byte of path) {
    const character = String.fromCharCode(byte)
    const plain = /[A-Za-z0-9._~/-]/.test(character)
    url += plain ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return url
}
