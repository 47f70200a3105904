import { createHash } from 'node:crypto'
import { LaneCuts } from '../../../src/admission/legs/lane-cuts.js'
import { STEP_MS } from '../../../src/model/pcm.js'
import { TAKEOVERS_MAX } from '../../../src/queue/run-attempt.js'
import type { ManifestDocument } from '../../../src/storage/documents/manifest-document.js'
import { manifestKey } from '../../../src/storage/keys.js'
import type { TranscriptDocument } from '../../../src/transcript/formats/transcript-document.js'
import type { ChaosEngine } from './chaos-engine.js'
import type { ChaosJob } from './chaos-recording.js'
import type { MemoryObjectStore } from './memory-object-store.js'
import type { ChaosNight } from './random-chaos.js'
import type { SharedStore } from './shared-store.js'

const NEVER = new AbortController().signal

/** What is there when a night is over. */
export interface NightEnd {
  objects: MemoryObjectStore
  /** How often a job lost its worker. */
  lossesOf(jobId: string): number
  depth: 1 | 2
}

/** Every result as it lies in the storage: whole, of one attempt's files, every word once. */
export function checkResults(
  night: ChaosNight,
  { objects, lossesOf, depth }: NightEnd,
): { faults: string[]; legs: number } {
  const faults: string[] = []
  let legs = 0
  for (const job of night.jobs) {
    const manifest = parsed<ManifestDocument>(objects, manifestKey(job.jobId))
    if (manifest === null) {
      const failure = objects.keys(`jobs/${job.jobId}/`).find((key) => key.endsWith('failure.json'))
      const text = failure ? Buffer.from(objects.peek(failure) ?? []).toString() : 'without a word'
      // What no engine of the night could ever carry is refused, and what has lost its worker again
      // and again is set aside; nothing else.
      const isTooLong = text.includes('"media_too_long"')
      const isSetAside = text.includes('"worker_lost"') && lossesOf(job.jobId) > TAKEOVERS_MAX
      if (!isTooLong && !isSetAside) faults.push(`${job.jobId} has no result: ${text}`)
      continue
    }
    faults.push(...checkFiles(job, objects, manifest))
    const key = manifest.outputs.find(({ name }) => name === 'transcript.json')?.key ?? ''
    const transcript = parsed<TranscriptDocument>(objects, key)
    if (transcript === null) {
      faults.push(`${job.jobId} has no transcript`)
      continue
    }
    legs += transcript.legs.length
    faults.push(...checkLegs(job, transcript))
    if (depth === 1) faults.push(...checkWords(job, transcript))
  }
  return { faults, legs }
}

/** At rest nothing is held, by whatever view. */
export async function checkAtRest(
  engines: readonly ChaosEngine[],
  store: SharedStore,
): Promise<string[]> {
  const faults: string[] = []
  for (const { id, openSessions, kvBlocksHeld } of engines) {
    if (openSessions > 0 || kvBlocksHeld > 0) {
      faults.push(`${id} has ${openSessions} sessions and ${kvBlocksHeld} blocks at rest`)
    }
    const { ledger } = await store.ledgers.read(id, { signal: NEVER })
    const standing = ledger.chains.map((chain) => `${chain.id} of ${chain.worker}`)
    if (standing.length > 0) faults.push(`the ledger of ${id} has ${standing.join(', ')} at rest`)
  }
  const line = await store.waiting.list({ signal: NEVER })
  if (line.length > 0) faults.push(`${line.map(({ jobId }) => jobId).join(', ')} wait at rest`)
  return faults
}

function parsed<T>(objects: MemoryObjectStore, key: string): T | null {
  const body = objects.peek(key)
  return body === null ? null : (JSON.parse(Buffer.from(body).toString()) as T)
}

function checkFiles(
  { jobId }: ChaosJob,
  objects: MemoryObjectStore,
  { outputs }: ManifestDocument,
): string[] {
  return outputs.flatMap(({ key, sha256 }) => {
    const body = objects.peek(key)
    const isSame = body !== null && createHash('sha256').update(body).digest('hex') === sha256
    return isSame ? [] : [`${jobId}: ${key} isn't what its manifest says`]
  })
}

/** The legs of every lane lead from its beginning to its end; none leaves audio out. */
function checkLegs(job: ChaosJob, { legs }: TranscriptDocument): string[] {
  const faults: string[] = []
  const course = new LaneCuts(job.cuts)
  for (let lane = 0; lane < job.lanes; lane += 1) {
    const channel = job.lanes > 1 ? lane : null
    const own = legs.filter((leg) => leg.channel === channel)
    let atMs = job.fromFrame * STEP_MS
    for (const { start, end } of own) {
      const startMs = Math.round(start * 1_000)
      // Where two legs hear the same, the boundary lies between what they have written.
      if (startMs !== atMs)
        faults.push(`${job.jobId}/${lane}: a leg begins at ${startMs}, not ${atMs}`)
      const endMs = Math.round(end * 1_000)
      const skip = course.cuts.find(({ kind, endFrame }) => {
        return kind === 'skip' && endFrame * STEP_MS === endMs
      })
      atMs = skip ? skip.nextFrame * STEP_MS : endMs
    }
    const endMs = (job.cuts.at(-1)?.endFrame ?? 0) * STEP_MS
    if (atMs !== endMs) faults.push(`${job.jobId}/${lane}: ends at ${atMs}, not ${endMs}`)
  }
  return faults
}

function checkWords(job: ChaosJob, { words }: TranscriptDocument): string[] {
  const faults: string[] = []
  const heard = job.words.filter((frame) => !isSkipped(job, frame))
  for (let lane = 0; lane < job.lanes; lane += 1) {
    const channel = job.lanes > 1 ? lane : null
    const counts = new Map<string, number>()
    for (const { word } of words.filter((each) => each.channel === channel)) {
      counts.set(word, (counts.get(word) ?? 0) + 1)
    }
    const wrong = heard.filter((frame) => counts.get(`w${frame}`) !== 1)
    if (wrong.length > 0) {
      const told = wrong.slice(0, 5).map((frame) => `w${frame} ${counts.get(`w${frame}`) ?? 0}`)
      faults.push(
        `${job.jobId}/${lane}: ${wrong.length} words aren't there once: ${told.join(', ')}`,
      )
    }
  }
  return faults
}

function isSkipped({ fromFrame, cuts }: ChaosJob, frame: number): boolean {
  if (frame < fromFrame || frame > (cuts.at(-1)?.endFrame ?? 0)) return true
  return cuts.some(({ kind, endFrame, nextFrame }) => {
    return kind === 'skip' && frame > endFrame && frame <= nextFrame
  })
}
