import { posix } from 'node:path'
import { type Check, type Finding, fileCheck } from './finding.js'
import { isCode, isIn, lineAt, partsOf, type SourceText } from './source-text.js'

const nothing: readonly string[] = []
const kernelOnly = ['src/kernel']
const kernelAndModel = ['src/kernel', 'src/model']
const base = ['kernel', 'model', 'redis', 'transcript', 'latency', 'config']
const core = [...base, 'media', 'admission', 'storage', 'queue']
const belowPipeline = [...core, 'planning', 'realtime', 'engines'].map((name) => `src/${name}`)
const belowApp = [...belowPipeline, 'src/pipeline']
const belowFaces = [...belowApp, 'src/app']

/** What each folder may import besides itself; the table of the house style, section 5. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  'src/kernel': nothing,
  'src/model': kernelOnly,
  'src/redis': kernelOnly,
  'src/transcript': kernelOnly,
  'src/latency': kernelOnly,
  'src/config': kernelOnly,
  'src/media': kernelAndModel,
  'src/admission': kernelAndModel,
  'src/storage': kernelAndModel,
  'src/queue': kernelAndModel,
  // A sweep's figures are latencies of frames: it counts by the same law and histogram.
  'src/planning': [...kernelAndModel, 'src/media', 'src/latency', 'src/admission'],
  'src/realtime': [...kernelAndModel, 'src/media', 'src/transcript'],
  'src/engines': [...kernelAndModel, 'src/realtime', 'src/admission', 'src/config'],
  'src/pipeline': belowPipeline,
  'src/app': belowApp,
  'src/http': belowFaces,
  'src/gateway': belowFaces,
  // It starts the others as processes of their own, or in its own.
  'src/cli': [...belowFaces, 'src/http', 'src/gateway'],
  'src/web': ['src/http'],
  'gpu/standin': [...kernelAndModel, 'src/config', 'src/media', 'src/realtime', 'src/admission'],
  jobs: belowFaces,
}

/** Files that speak to Redis, in folders that know nothing of it otherwise. */
const redisAdapter =
  /^src\/(?:queue|admission\/store)\/(?:redis|bullmq)-[\w-]+$|^src\/queue\/run-attempt$/

/** An import, of a file of ours or of a package. */
interface Import {
  specifier: string
  /** Path of our file without its ending, or null for a package. */
  target: string | null
  line: number
}

/** All imports of a file, `export … from` and `import(…)` included. */
export function importsOf(file: SourceText): Import[] {
  // Places are looked for in the program, where texts are blank, and then read in the text itself.
  const places = [...partsOf(file.text).program.matchAll(/\b(?:from|import)\b/g)]
  return places.flatMap((place) => {
    const match = /^(?:from|import)\s*\(?\s*(['"])([^'"\n]+)\1/.exec(file.text.slice(place.index))
    const specifier = match?.[2]
    if (specifier === undefined) return []
    const target = specifier.startsWith('.')
      ? posix.join(posix.dirname(file.path), specifier).replace(/\.(js|mjs|ts)$/, '')
      : null
    return [{ specifier, target, line: lineAt(file.text, place.index) }]
  })
}

/** The folder of the table that a path belongs to, or null. */
function layerOf(path: string): string | null {
  return Object.keys(mayImport).find((folder) => path.startsWith(`${folder}/`)) ?? null
}

/** Imports go down the table only; nothing in `src` knows `jobs`, `gpu` or `test`. */
export const importTable: Check = fileCheck(
  'import table',
  (file) => isCode(file) && layerOf(file.path) !== null,
  (file) => {
    const layer = layerOf(file.path)
    const isRedisAdapter = redisAdapter.test(withoutEnding(file.path))
    const extra = isRedisAdapter ? ['src/redis'] : nothing
    const allowed = layer === null ? nothing : [layer, ...(mayImport[layer] ?? nothing), ...extra]
    return importsOf(file).flatMap(({ target, specifier, line }) => {
      if (target === null || allowed.some((folder) => target.startsWith(`${folder}/`))) return []
      return [{ line, what: `${layer} may not import ${specifier}` }]
    })
  },
)

/** Packages and modules that make a file an adapter: whoever imports them talks to the outside. */
const outside =
  /^(bullmq|ioredis|@aws-sdk\/.+|fluent-ffmpeg|ws|sherpa-onnx-node|pino|node:(fs|net|http|https|child_process|worker_threads)(\/.+)?)$/

/** The pipeline is composed of ports: it never imports a file that talks to the outside. */
export const portsOnly: Check = {
  name: 'ports only',
  find(files) {
    const adapters = new Set(
      files
        .filter((file) => isCode(file) && isIn(file, 'src') && !isIn(file, 'src/pipeline'))
        .filter((file) => importsOf(file).some(({ specifier }) => outside.test(specifier)))
        .map((file) => withoutEnding(file.path)),
    )
    return files
      .filter((file) => isCode(file) && isIn(file, 'src/pipeline'))
      .flatMap((file) =>
        importsOf(file)
          .filter(({ target }) => target !== null && adapters.has(target))
          .map(
            ({ specifier, line }): Finding => ({
              check: 'ports only',
              path: file.path,
              line,
              what: `${specifier} is an adapter; the pipeline gets it through a port`,
            }),
          ),
      )
  },
}

/** Parse at the edge: zod stays where bytes and texts from outside become values of ours. */
export const zodAtEdges: Check = fileCheck(
  'zod at edges',
  (file) =>
    isCode(file) &&
    isIn(file, 'src', 'jobs', 'gpu') &&
    !isIn(file, 'src/config', 'src/storage', 'src/queue', 'src/http') &&
    !file.path.endsWith('-codec.ts'),
  (file) =>
    importsOf(file)
      .filter(({ specifier }) => specifier === 'zod')
      .map(({ line }) => ({ line, what: 'zod belongs to config, storage, queue and codecs' })),
)

/**
 * No file needs itself: what a circle of imports holds can only be read, tested and moved as a
 * whole. Imports of types count, because a reader follows them too.
 */
export const importCircles: Check = {
  name: 'import circles',
  find(files) {
    const code = files.filter((file) => isCode(file) && isIn(file, 'src', 'jobs', 'gpu'))
    const imports = new Map(
      code.map((file) => {
        const targets = importsOf(file).flatMap(({ target }) => target ?? [])
        return [withoutEnding(file.path), { file, targets }] as const
      }),
    )
    return code.flatMap((file): Finding[] => {
      const circle = wayBack(withoutEnding(file.path), imports)
      // Told once, at the first of its files.
      if (circle === null || circle.some((path) => path < withoutEnding(file.path))) return []
      const what = `imports itself by way of ${circle.slice(1).join(', ')}`
      return [{ check: 'import circles', path: file.path, line: 0, what }]
    })
  },
}

/** The shortest way from a file by its imports back to it, without the return; null: none. */
function wayBack(
  start: string,
  imports: ReadonlyMap<string, { targets: readonly string[] }>,
): string[] | null {
  const cameFrom = new Map<string, string>()
  const queue = [start]
  for (const at of queue) {
    for (const target of imports.get(at)?.targets ?? []) {
      if (target === start) return wayTo(at, cameFrom)
      if (!imports.has(target) || cameFrom.has(target)) continue
      cameFrom.set(target, at)
      queue.push(target)
    }
  }
  return null
}

function wayTo(end: string, cameFrom: ReadonlyMap<string, string>): string[] {
  const before = cameFrom.get(end)
  return before === undefined ? [end] : [...wayTo(before, cameFrom), end]
}

function withoutEnding(path: string): string {
  return path.replace(/\.(mjs|ts)$/, '')
}
