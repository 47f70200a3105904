import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { UnfinishedPut } from '../index.js'
import { folderReadError, folderWriteError } from './folder-error.js'
import { isAbsent } from './folder-paths.js'

/** Names that `writeTemporary`, and the check for hard links, give their files. */
const TEMPORARY_NAME = /^[0-9a-f]{32}(\.link)?$/

/**
 * Lists the files of puts that have not ended; other files in that folder are left out.
 * @throws UpstreamError when the folder can't be read; the signal's reason
 */
export async function* temporaryFiles(
  folder: string,
  { signal }: { signal: AbortSignal },
): AsyncGenerator<UnfinishedPut, void, void> {
  for (const name of await namesIn(folder)) {
    signal.throwIfAborted()
    if (!TEMPORARY_NAME.test(name)) continue
    // A file that is missing now is skipped: its put has ended since the folder was read.
    const found = await stat(join(folder, name)).catch(() => null)
    if (found?.isFile()) {
      yield { id: name, key: null, bytes: found.size, touchedMs: found.mtimeMs }
    }
  }
}

/** Removes the file of an unfinished put. @throws UpstreamError `output_write_failed` */
export async function removeTemporary(folder: string, { id }: UnfinishedPut): Promise<void> {
  if (!TEMPORARY_NAME.test(id)) return
  try {
    await rm(join(folder, id), { force: true })
  } catch (error) {
    throw folderWriteError(error, id, folder)
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    // Without a folder there has been no put.
    if (isAbsent(error)) return []
    throw folderReadError(error, folder, folder)
  }
}
