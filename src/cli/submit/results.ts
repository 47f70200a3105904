import { access, constants, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, parse } from 'node:path'
import { EXIT } from '../../app/exit-code.js'
import type { OpenPorts } from '../../app/open-ports.js'
import { printable } from '../../app/printable.js'
import { ConfigError, reasonOf } from '../../kernel/errors.js'
import { locationOf } from '../../kernel/location.js'
import { readManifest } from '../../pipeline/result/commit-result.js'
import { readOutput } from '../../pipeline/result/read-output.js'
import type { JobRecord, Stage } from '../../queue/index.js'
import type { ManifestDocument } from '../../storage/documents/manifest-document.js'
import type { Submitted } from './submit-sources.js'

/** The final result of one recording. */
export interface RecordingResult {
  name: string
  jobId: string | null
  status: 'completed' | 'failed' | 'canceled'
  error: { code: string; detail: string; retryable: boolean; stage: Stage | null } | null
  warnings: readonly string[]
  manifest: ManifestDocument | null
  /** True when the stand-in engine transcribed it; null where not known. */
  engineIsStandin: boolean | null
}

/** Joins the submissions with the final states of their jobs. */
export async function collectResults(
  ports: OpenPorts,
  submitted: readonly Submitted[],
  records: ReadonlyMap<string, JobRecord>,
  options: { signal: AbortSignal },
): Promise<RecordingResult[]> {
  const results: RecordingResult[] = []
  for (const { name, outcome, error } of submitted) {
    const jobId = outcome?.jobId ?? null
    const record =
      jobId === null ? null : (records.get(jobId) ?? (await ports.jobStore.get(jobId, options)))
    const manifest = jobId === null ? null : await readManifest(ports.store, jobId, options)
    const own = error && {
      code: error.code,
      detail: error.message,
      retryable: error.retryable,
      stage: null,
    }
    const cause = own ?? record?.error ?? null
    results.push({
      name,
      jobId,
      status: manifest ? 'completed' : record?.status === 'canceled' ? 'canceled' : 'failed',
      error: manifest ? null : cause,
      warnings: manifest?.warnings ?? [],
      manifest,
      engineIsStandin: record?.engineIsStandin ?? null,
    })
  }
  return results
}

/**
 * Exit code of a batch: 75 when a recording failed in a way that a retry may help, 2 when one
 * failed by a setting, 0 when any is completed, else 1.
 */
export function batchExitCode(results: readonly RecordingResult[]): number {
  if (results.some(({ error }) => error?.retryable)) return EXIT.tryLater
  if (results.some(({ error }) => error?.code === 'config_invalid')) return EXIT.config
  return results.some(({ status }) => status === 'completed') ? EXIT.done : EXIT.input
}

/**
 * Creates the folder for results before the work starts, so that a wrong `--out` fails at once.
 * @throws ConfigError naming `--out`
 */
export async function openOutFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true })
    await access(folder, constants.W_OK)
  } catch (cause) {
    const sentence = `--out ${folder} can't be written (${reasonOf(cause)}): name another folder.`
    throw new ConfigError('config_invalid', sentence, { cause })
  }
}

/**
 * Saves all files of a result as `<recording>.<ending>`. Where that name belongs to another
 * recording, or to a different file of the user, the job's id is put between.
 * @param taken job ids by the names already given away
 * @returns the paths
 */
export async function saveOutputs(
  ports: OpenPorts,
  result: RecordingResult,
  folder: string,
  taken: Map<string, string>,
  options: { signal: AbortSignal },
): Promise<string[]> {
  const { manifest, jobId } = result
  if (!manifest || jobId === null) return []
  const plain = fileBase(result.name)
  const files: { ending: string; content: Buffer }[] = []
  for (const { name, key } of manifest.outputs) {
    const content = await readOutput(ports, key, options)
    files.push({ ending: name.replace(/^transcript\./, ''), content })
  }
  // Compares names in lower case and composed form: some disks treat names as equal that differ in
  // case or in how an umlaut is encoded, and one result would overwrite the other.
  const alike = plain.normalize('NFC').toLowerCase()
  const owner = taken.get(alike) ?? jobId
  const isOthers = owner !== jobId || (await wouldReplace(join(folder, plain), files))
  taken.set(alike, owner)
  const paths: string[] = []
  for (const { ending, content } of files) {
    const path = join(folder, `${isOthers ? `${plain}.${jobId}` : plain}.${ending}`)
    await writeFile(path, content)
    paths.push(path)
  }
  return paths
}

/** Whether a file of that name exists with different contents. */
async function wouldReplace(
  path: string,
  files: readonly { ending: string; content: Buffer }[],
): Promise<boolean> {
  const standing = await Promise.all(
    files.map(({ ending }) => readFile(`${path}.${ending}`).catch(() => null)),
  )
  return standing.some((bytes, at) => bytes && !bytes.equals(files[at]?.content ?? bytes))
}

/**
 * Longest base of a file name in bytes: with the job's id and the longest ending it stays within
 * what file systems allow (255).
 */
const BASE_BYTES_MAX = 200

/** The last part of a path, key or address without its ending, for use as a file name. */
function fileBase(name: string): string {
  const isAddress = locationOf(name).kind === 'http'
  const whole = printable(parse(isAddress ? name.replace(/[?#].*$/, '') : name).name)
  let base = ''
  for (const character of whole) {
    if (Buffer.byteLength(base + character) > BASE_BYTES_MAX) break
    base += character
  }
  return base || 'transcript'
}

/** One result in the form of `--json`. */
export function resultJson(result: RecordingResult, text: string | null): object {
  return {
    name: result.name,
    job_id: result.jobId,
    status: result.status,
    error: result.error,
    warnings: result.warnings,
    engine_is_standin: result.engineIsStandin,
    outputs: result.manifest?.outputs ?? [],
    text,
  }
}
