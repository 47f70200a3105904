import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { UnfinishedPut } from '../index.js'
import { folderReadError, folderWriteError } from './folder-error.js'
import { isAbsent } from './folder-paths.js'

/** What `writeTemporary` and the trial of a new store name their files. */
const TEMPORARY_NAME = /^[0-9a-f]{32}(\.link)?$/

/**
 * Files of puts that have not ended; nothing else that lies in that folder.
 * @throws UpstreamError when the folder can't be read; the signal's reason
 */
export async function* temporaryFiles(
  folder: string,
  { signal }: { signal: AbortSignal },
): AsyncGenerator<UnfinishedPut, void, void> {
  for (const name of await namesIn(folder)) {
    signal.throwIfAborted()
    if (!TEMPORARY_NAME.test(name)) continue
    // Gone, when its put has ended meanwhile.
    const found = await stat(join(folder, name)).catch(() => null)
    if (found?.isFile()) {
      yield { id: name, key: null, bytes: found.size, touchedMs: found.mtimeMs }
    }
  }
}

/** Removes one. @throws UpstreamError `output_write_failed` */
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
    if (isAbsent(error)) return [] // nobody has ever put anything
    throw folderReadError(error, folder, folder)
  }
}
