import { sharedLeftovers, spoolLeftovers } from '../../src/app/leftover-sources.js'
import type { OpenPorts } from '../../src/app/open-ports.js'
import type { Settings } from '../../src/config/schema.js'
import type { Clock } from '../../src/kernel/clock.js'
import type { MetricsDocument } from '../../src/latency/job-metrics.js'
import { cleanUp } from '../../src/pipeline/housekeeping/clean-up.js'
import { readManifest } from '../../src/pipeline/result/commit-result.js'
import { readOutput } from '../../src/pipeline/result/read-output.js'
import type { JobRecord } from '../../src/queue/index.js'
import { jobPrefix } from '../../src/storage/keys.js'
import type { ToneWord } from '../fakes/tone-encoder.js'
import type { StoredTranscript } from '../job-results.js'
import type { NightRecording } from './night-recordings.js'

const signal = new AbortController().signal

/** What became of one recording. */
export interface JobVerdict {
  jobId: string
  recording: number
  shape: string
  seconds: number
  status: JobRecord['status']
  error: string | null
  words: number
  wordsLost: number
  wordsDoubled: number
  /** Words that came in another order, or that nobody said. */
  wordsWrong: number
  manifests: number
  isContiguous: boolean
  /** Fence of the committed attempt. */
  attempts: number
  legs: number
  resumedFromMs: readonly number[]
  warnings: readonly string[]
}

/** Compares what is stored of a job with what was said. */
export async function judgeJob(
  ports: OpenPorts,
  jobId: string,
  recording: NightRecording,
): Promise<JobVerdict> {
  const record = await ports.jobStore.get(jobId, { signal })
  const said = recording.words.flat().length
  const verdict: JobVerdict = {
    ...{ jobId, recording: recording.index, shape: recording.shape },
    seconds: Math.round(recording.durationMs / 1000),
    status: record?.status ?? 'created',
    error: record?.error?.code ?? null,
    ...{ words: said, wordsLost: said, wordsDoubled: 0, wordsWrong: 0 },
    ...{ manifests: 0, isContiguous: false, attempts: record?.attempt ?? 0, legs: 0 },
    ...{ resumedFromMs: [], warnings: record?.warnings ?? [] },
  }
  const names = await keysBelow(ports, jobPrefix(jobId))
  verdict.manifests = names.filter((key) => key.endsWith('manifest.json')).length
  const manifest = await readManifest(ports.store, jobId, { signal })
  if (!manifest) return verdict
  const read = async (name: string) => {
    const key = manifest.outputs.find((output) => output.name === name)?.key ?? name
    return JSON.parse((await readOutput(ports, key, { signal })).toString())
  }
  const transcript = (await read('transcript.json')) as StoredTranscript
  const metrics = (await read('metrics.json')) as MetricsDocument
  const { lost, doubled, wrong } = wordsOff(transcript, recording)
  return {
    ...verdict,
    ...{ wordsLost: lost, wordsDoubled: doubled, wordsWrong: wrong },
    isContiguous: areContiguous(transcript, recording),
    legs: transcript.legs.length,
    attempts: manifest.attempt ?? manifest.fence,
    resumedFromMs: metrics.resumed_from_ms,
    warnings: manifest.warnings,
  }
}

/** Words that are missing, that come more than once, and that are none of it or out of order. */
function wordsOff({ words }: StoredTranscript, recording: NightRecording) {
  const off = { lost: 0, doubled: 0, wrong: 0 }
  for (const [lane, script] of recording.words.entries()) {
    const heard = words.filter(({ channel }) => (channel ?? 0) === lane).map(({ word }) => word)
    const counts = new Map<string, number>()
    for (const word of heard) counts.set(word, (counts.get(word) ?? 0) + 1)
    for (const { text } of script) {
      const count = counts.get(text) ?? 0
      if (count === 0) off.lost += 1
      off.doubled += Math.max(0, count - 1)
    }
    off.wrong += outOfPlace(heard, script)
  }
  return off
}

function outOfPlace(heard: readonly string[], script: readonly ToneWord[]): number {
  const places = new Map(script.map(({ text }, index) => [text, index]))
  let last = -1
  let wrong = 0
  for (const word of heard) {
    const place = places.get(word)
    if (place === undefined || place < last) wrong += 1
    last = Math.max(last, place ?? last)
  }
  return wrong
}

/** Whether the legs of every lane follow each other without a gap, from beginning to end. */
function areContiguous(transcript: StoredTranscript, recording: NightRecording): boolean {
  const legs = transcript.legs as (StoredTranscript['legs'][number] & { channel: number | null })[]
  return recording.words.every((_, lane) => {
    const own = legs.filter(({ channel }) => (channel ?? 0) === lane)
    const follow = own.every(({ start }, index) => start === (own[index - 1]?.end ?? 0))
    const endMs = (own.at(-1)?.end ?? 0) * 1000
    return follow && Math.abs(endMs - recording.durationMs) < 1
  })
}

async function keysBelow({ store }: OpenPorts, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list(prefix, { signal })) keys.push(key)
  return keys
}

/** What is left over when all is done, by kind; and what of it a look of housekeeping leaves. */
export interface LeftoverVerdict {
  /** What dead workers left behind; housekeeping is there for it. */
  removed: Record<string, number>
  /** What it didn't find, or couldn't remove. */
  left: string[]
}

/** A day later nothing is under way any more: what is of no use then is a leftover. */
const A_DAY_LATER_MS = 25 * 3600 * 1000

/** Lets housekeeping look a day later, and looks for what it hasn't seen. */
export async function judgeLeftovers(
  settings: Settings,
  ports: OpenPorts,
  jobIds: readonly string[],
): Promise<LeftoverVerdict> {
  const later: Clock = { ...ports.clock, wallMs: () => ports.clock.wallMs() + A_DAY_LATER_MS }
  const laterPorts = { ...ports, clock: later }
  const sources = [...sharedLeftovers(laterPorts), spoolLeftovers(settings, laterPorts)]
  const removed: Record<string, number> = {}
  const report = await cleanUp(sources, {
    ...{ dryRun: false, itemsMax: Number.MAX_SAFE_INTEGER, signal },
    onLeftover: ({ kind, items }) => {
      removed[kind] = (removed[kind] ?? 0) + items
    },
  })
  const left = report.unseen.map((code) => `not looked through: ${code}`)
  for (const jobId of jobIds) {
    const manifest = await readManifest(ports.store, jobId, { signal })
    const own = `${jobPrefix(jobId)}a${manifest?.fence}/`
    for (const key of await keysBelow(ports, jobPrefix(jobId))) {
      const name = key.slice(jobPrefix(jobId).length)
      const isKept = /^(job|manifest|analysis)\.json$|^peaks/.test(name) || key.startsWith(own)
      if (!isKept) left.push(key)
    }
  }
  return { removed, left }
}
