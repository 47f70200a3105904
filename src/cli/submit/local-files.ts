import { constants, type Stats } from 'node:fs'
import { type FileHandle, lstat, open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { InputError, reasonOf, systemCode } from '../../kernel/errors.js'

const ENDINGS = [
  ...['3g2', '3gp', 'aac', 'ac3', 'aif', 'aiff', 'amr', 'asf', 'au', 'avi', 'caf', 'flac', 'flv'],
  ...['m2ts', 'm4a', 'm4b', 'm4v', 'mka', 'mkv', 'mov', 'mp2', 'mp3', 'mp4', 'mpeg', 'mpg', 'mts'],
  ...['mxf', 'oga', 'ogg', 'opus', 'w64', 'wav', 'weba', 'webm', 'wma', 'wmv', 'wv'],
]

/**
 * Name endings by which files of a folder are taken for recordings. A file that is named directly
 * may have any ending.
 */
export const MEDIA_ENDINGS = new RegExp(`\\.(${ENDINGS.join('|')})$`, 'i')

/** A file on this machine that is to be a recording. */
export interface LocalFile {
  /** Name for people. */
  name: string
  /** Path on disk; bytes for a file of a folder, since names on disk needn't be UTF-8. */
  path: string | Buffer
}

const READ_BYTES = 256 * 1024
const MISSING = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'])
const FORBIDDEN = new Set(['EACCES', 'EPERM'])

/**
 * The file that an argument names, or the recordings (by ending) in the folder that it names, by
 * name. Whether they can be read is checked when they are opened.
 *
 * @param cwd folder against which relative arguments are resolved
 * @throws InputError naming the argument
 */
export async function localFiles(argument: string, cwd: string): Promise<LocalFile[]> {
  const path = argument.startsWith('/') ? argument : join(cwd, argument)
  const about = await statOf({ name: argument, path })
  if (!about.isDirectory()) return [{ name: argument, path }]
  const options = { withFileTypes: true, encoding: 'buffer' } as const
  const entries = await readdir(path, options).catch(async (cause) => {
    throw await faultOf({ name: argument, path }, cause)
  })
  const found = entries
    .filter((entry) => !entry.isDirectory())
    .map(({ name }) => ({ text: name.toString(), bytes: name }))
    .filter(({ text }) => MEDIA_ENDINGS.test(text))
    .sort((one, other) => Buffer.compare(one.bytes, other.bytes))
  if (found.length > 0) {
    return found.map(({ text, bytes }) => ({
      name: join(argument, text),
      path: Buffer.concat([Buffer.from(join(path, '/')), bytes]),
    }))
  }
  throw new InputError(
    'input_not_found',
    `There is no audio or video file in ${argument}; one with another ending has to be named.`,
  )
}

/**
 * Opens a file for reading by position.
 * @throws InputError for everything but a readable file with contents. Pipes and devices are
 * refused unopened, since reading them may never end.
 */
export async function openLocalFile(
  file: LocalFile,
  { bytesMax }: { bytesMax: number },
): Promise<{ handle: FileHandle; bytes: number }> {
  assertFile(file, await statOf(file))
  // Opened without blocking: after the check the path may have become a pipe, whose open would wait
  // for ever.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK
  const handle = await open(file.path, flags).catch(async (cause) => {
    throw await faultOf(file, cause)
  })
  try {
    const about = await handle.stat()
    assertFile(file, about)
    assertSize(file, about.size, bytesMax)
    return { handle, bytes: about.size }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** The file's bytes from its start, in pieces of 256 KiB. */
export async function* contentOf(handle: FileHandle): AsyncGenerator<Uint8Array> {
  for (let position = 0; ; ) {
    const buffer = Buffer.allocUnsafe(READ_BYTES)
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, position)
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
    position += bytesRead
  }
}

/** An error of the file system as one sentence with the file's name. */
export async function faultOf({ name, path }: LocalFile, cause: unknown): Promise<InputError> {
  const code = systemCode(cause) ?? ''
  if (MISSING.has(code)) {
    const isLink = await lstat(path).then(
      () => true,
      () => false, // neither a link nor a file
    )
    const sentence = isLink
      ? `${name} is a link to something that is not there; name the recording itself.`
      : `There is no file or folder ${name}; check the path.`
    return new InputError('input_not_found', sentence, { cause })
  }
  if (code === 'ELOOP') {
    const sentence = `${name} is a link that leads back to itself; name the recording itself.`
    return new InputError('input_not_found', sentence, { cause })
  }
  const remedy = FORBIDDEN.has(code) ? 'give this user the right to read it' : 'check its disk'
  const reason = code === '' ? reasonOf(cause) : code
  const sentence = `${name} can't be read (${reason}): ${remedy}.`
  return new InputError('input_forbidden', sentence, { cause })
}

async function statOf(file: LocalFile): Promise<Stats> {
  return await stat(file.path).catch(async (cause) => {
    throw await faultOf(file, cause)
  })
}

function assertFile({ name }: LocalFile, about: Stats): void {
  if (about.isFile()) return
  const kind = about.isDirectory()
    ? 'a folder'
    : about.isFIFO()
      ? 'a pipe'
      : about.isSocket()
        ? 'a socket'
        : 'a device'
  throw new InputError(
    'input_unsupported',
    `${name} is ${kind}, not a file; write its sound to a file and submit that.`,
  )
}

function assertSize({ name }: LocalFile, bytes: number, bytesMax: number): void {
  if (bytes === 0) {
    throw new InputError('media_corrupt', `${name} is empty (0 bytes); copy it again.`)
  }
  if (bytes <= bytesMax) return
  throw new InputError(
    'media_too_large',
    `${name} has ${bytes} bytes, more than media.sourceBytesMax (${bytesMax}); split it, or ` +
      'raise that setting.',
    { facts: { bytes, bytesMax } },
  )
}
