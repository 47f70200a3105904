import { createHash } from 'node:crypto'
import { type FileHandle, link, mkdir, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCode } from '../../kernel/errors.js'
import type { Random } from '../../kernel/random.js'
import { namesOfKey } from '../key-path.js'
import { sourceChunks } from '../source-chunks.js'
import { type FileStamp, stampOf } from './folder-etags.js'
import { type FolderPaths, joinNames, syncFolder } from './folder-paths.js'

/** A synced file under a temporary name, which no reader lists or opens. */
export interface WrittenFile extends AsyncDisposable {
  path: string
  stamp: FileStamp
  /** SHA-256 in lower-case hex. */
  etag: string
}

/**
 * Writes bytes to a new file in the temporary folder and syncs it. Disposing it removes the file's
 * temporary name; a failure leaves no file.
 *
 * @throws the signal's reason, SourceFailure, or the file system's error
 */
export async function writeTemporary(
  folder: string,
  body: Uint8Array | AsyncIterable<Uint8Array>,
  options: { signal: AbortSignal; random: Random },
): Promise<WrittenFile> {
  const path = join(folder, options.random.hexId(16))
  const handle = await openNew(folder, path)
  const remove = () => rm(path, { force: true })
  try {
    const hash = createHash('sha256')
    for await (const chunk of sourceChunks(body, options)) {
      hash.update(chunk)
      await writeAll(handle, chunk)
    }
    await handle.sync()
    const stamp = await stampOf(handle)
    await handle.close()
    return { path, stamp, etag: hash.digest('hex'), [Symbol.asyncDispose]: remove }
  } catch (error) {
    // The error that came first is thrown: errors of closing and removing are dropped.
    await handle.close().catch(() => {})
    await remove().catch(() => {}) // see above
    throw error
  }
}

/**
 * Moves a written file to its key: by rename(2), or by link(2) with `onlyIfAbsent`, which fails for
 * an existing key, so that exactly one of several racing writers wins. The folder is synced before
 * this resolves.
 *
 * @returns false where the key exists and `onlyIfAbsent` is set
 */
export async function publish(
  paths: FolderPaths,
  key: string,
  options: { file: WrittenFile; onlyIfAbsent: boolean },
): Promise<boolean> {
  const folder = await paths.makeParent(key)
  const name = namesOfKey(key).at(-1) as Buffer
  const target = joinNames(folder, [name])
  if (!options.onlyIfAbsent) {
    await rename(options.file.path, target)
  } else {
    try {
      await link(options.file.path, target)
    } catch (error) {
      if (systemCode(error) === 'EEXIST') return false
      throw error
    }
  }
  await syncFolder(folder)
  return true
}

async function openNew(folder: string, path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx')
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
    // The temporary folder was removed while the store was in use.
    await mkdir(folder, { recursive: true })
    return await open(path, 'wx')
  }
}

async function writeAll(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let offset = 0; offset < chunk.byteLength; ) {
    const { bytesWritten } = await handle.write(chunk, offset, chunk.byteLength - offset)
    offset += bytesWritten
  }
}
