import type { BigIntStats, Dirent } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { isPieceName, segmentOfName, segmentOfPieces } from '../key-path.js'
import { folderReadError } from './folder-error.js'
import { type FolderPaths, isAbsent, joinNames } from './folder-paths.js'

/** A file of the listing, and its facts. */
export interface ListedFile {
  key: string
  stats: BigIntStats
}

interface Entry {
  segment: string
  path: Buffer
  isFolder: boolean
}

/**
 * Lists the files below a key prefix in the order of their keys. Holds the names of one folder per
 * level, not of the whole tree. Hidden names, links to folders, links that leave the root and files
 * that vanish during the listing are left out.
 *
 * @throws classified errors, but none for a prefix that doesn't exist; InputError `input_forbidden`
 *   also where the prefix itself is behind a link that leaves the root; the signal's reason
 */
export async function* listFolder(
  paths: FolderPaths,
  prefix: string,
  options: { signal: AbortSignal },
): AsyncGenerator<ListedFile, void, void> {
  options.signal.throwIfAborted()
  const above = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  try {
    const folder = await unlessAbsent(paths.folder(above))
    const start = prefix.slice(above.length)
    if (folder) yield* walk(paths, { folder, above, start }, options)
  } catch (error) {
    if (options.signal.aborted) throw options.signal.reason
    throw folderReadError(error, prefix || 'the listing', paths.root)
  }
}

/** A folder, the part of keys that leads to it, and the beginning that its entries must have. */
interface Place {
  folder: Buffer
  above: string
  start: string
}

async function* walk(
  paths: FolderPaths,
  at: Place,
  options: { signal: AbortSignal },
): AsyncGenerator<ListedFile, void, void> {
  for (const entry of await sortedEntries(paths, at)) {
    options.signal.throwIfAborted()
    const key = at.above + entry.segment
    if (entry.isFolder) {
      yield* walk(paths, { folder: entry.path, above: `${key}/`, start: '' }, options)
      continue
    }
    const stats = await unlessAbsent(stat(entry.path, { bigint: true }))
    if (stats?.isFile()) yield { key, stats }
  }
}

async function sortedEntries(paths: FolderPaths, at: Place): Promise<Entry[]> {
  const sortable: { bytes: Buffer; entry: Entry }[] = []
  for await (const entry of entriesOf(paths, at.folder, [])) {
    if (!entry.segment.startsWith(at.start)) continue
    const bytes = Buffer.from(entry.isFolder ? `${entry.segment}/` : entry.segment)
    sortable.push({ bytes, entry })
  }
  sortable.sort((a, b) => Buffer.compare(a.bytes, b.bytes))
  return sortable.map(({ entry }) => entry)
}

/** Entries of one folder; entries in the piece folders of a split segment count as its own. */
async function* entriesOf(
  paths: FolderPaths,
  folder: Buffer,
  pieces: readonly Buffer[],
): AsyncGenerator<Entry, void, void> {
  const found = await unlessAbsent(readdir(folder, { withFileTypes: true, encoding: 'buffer' }))
  for (const entry of found ?? []) {
    const path = joinNames(folder, [entry.name])
    const chain = [...pieces, entry.name]
    if (entry.isDirectory() && isPieceName(entry.name)) {
      yield* entriesOf(paths, path, chain)
      continue
    }
    const segment = pieces.length > 0 ? segmentOfPieces(chain) : segmentOfName(entry.name)
    if (segment === null) continue
    if (entry.isDirectory()) yield { segment, path, isFolder: true }
    else if (await isReadableFile(paths, entry, path)) yield { segment, path, isFolder: false }
  }
}

async function isReadableFile(
  paths: FolderPaths,
  entry: Dirent<Buffer>,
  path: Buffer,
): Promise<boolean> {
  if (entry.isFile()) return true
  if (!entry.isSymbolicLink()) return false
  try {
    await paths.inside(path, '')
    return true // `walk` leaves out a link to a folder
  } catch {
    return false // a link out of the root, to nothing or in a circle is no object, and no error
  }
}

async function unlessAbsent<T>(found: Promise<T>): Promise<T | null> {
  try {
    return await found
  } catch (error) {
    if (isAbsent(error)) return null
    throw error
  }
}
