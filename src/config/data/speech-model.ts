import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { z } from 'zod'
import { readDataFile } from './data-file.js'

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const bytes = z.int().min(1)

const speechModelFile = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]{1,60}$/),
  wheel: z.strictObject({
    package: z.string().regex(/^[a-z0-9-]+$/),
    version: z.string().regex(/^[0-9.]+$/),
    platform: z.string().regex(/^[a-z0-9_]+$/),
    bytes,
    sha256,
    folder: z.string().min(1),
  }),
  files: z
    .array(z.strictObject({ name: z.string().regex(/^[\w.-]+$/), bytes, sha256 }))
    .min(1)
    .max(20),
})

/** The speech model that set-up fetches for the stand-in. */
export interface FetchedSpeechModel extends z.infer<typeof speechModelFile> {
  /** Where its files are kept, once for all checkouts of a user. */
  readonly path: string
}

/**
 * The stand-in's own speech model, from `config/recognizers`; its files may not be there yet.
 * @param options.cwd the project's folder
 * @param options.env gives `XDG_CACHE_HOME`
 * @throws ConfigError when the file in `config/recognizers` is wrong
 */
export function fetchedSpeechModel(options: {
  cwd: string
  env: Readonly<Record<string, string | undefined>>
}): FetchedSpeechModel {
  const file = { cwd: options.cwd, folder: 'recognizers', name: 'moonshine-tiny-en' }
  const model = readDataFile(speechModelFile, file)
  return { ...model, path: join(cacheFolder(options.env), 'nightscribe', model.name) }
}

/** The user's cache folder, by the XDG base directory specification: a relative path is ignored. */
function cacheFolder({ XDG_CACHE_HOME, HOME }: Readonly<Record<string, string | undefined>>) {
  if (XDG_CACHE_HOME !== undefined && isAbsolute(XDG_CACHE_HOME)) return XDG_CACHE_HOME
  return join(HOME || homedir(), '.cache')
}
