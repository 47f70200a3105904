import { readFileSync } from 'node:fs'
import { join, parse } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readSamples } from '../../src/cli/stack/samples.js'
import { projectRoot } from '../../src/config/project-root.js'
import { submitRecording } from '../../src/pipeline/intake/submit-recording.js'
import { readManifest } from '../../src/pipeline/result/commit-result.js'
import { readOutput } from '../../src/pipeline/result/read-output.js'
import type { JobRecord } from '../../src/queue/index.js'
import { comparableWords, wordErrorRate } from '../../src/transcript/words/word-error-rate.js'
import { type DevStack, startDevStack } from '../dev-stack.js'
import { createMoonshineFactory } from '../fakes/speech-factory.js'

const signal = new AbortController().signal

interface Reference {
  name: string
  expect: 'transcript' | 'empty' | 'error'
  text: string
  lanes: { channel: number | null; text: string }[]
  keyPhrases: string[]
  utterances: SpokenUtterance[]
}

interface SpokenUtterance {
  text: string
  channel: number | null
  startMs: number
  wordEndsMs: number[]
  overlaps: boolean
}

interface Transcribed {
  reference: Reference
  record: JobRecord
  stored: {
    text: string
    timing: { verified: boolean }
    lanes: { channel: number | null; text: string }[]
    words: { word: string; channel?: number | null; end: number }[]
  } | null
}

let stack: DevStack
const transcribed: Transcribed[] = []

/** All samples once through the whole way, as fast as the recognizer keeps up. */
beforeAll(async () => {
  stack = await startDevStack(
    { vad: { method: 'auto' }, engine: { stallTimeoutMs: 300_000 } },
    { recognizer: createMoonshineFactory() },
  )
  await stack.startWorker()
  const { ports } = stack
  const jobs: { name: string; jobId: string }[] = []
  for (const sample of await readSamples(projectRoot(), ports.store, { signal })) {
    const options = { pace: 'max', priority: 0, deadlineAt: null, tenant: 'default' } as const
    const source = await sample.locate()
    const submission = { ...source, ...options, name: sample.name, channels: sample.channels }
    const { jobId } = await submitRecording(ports, submission, { signal })
    jobs.push({ name: parse(sample.name).name, jobId })
  }
  const records = await stack.ended(jobs.map(({ jobId }) => jobId))
  for (const [index, { name, jobId }] of jobs.entries()) {
    const path = join(projectRoot(), 'samples', 'references', `${name}.json`)
    const reference = JSON.parse(readFileSync(path, 'utf8')) as Reference
    const manifest = await readManifest(ports.store, jobId, { signal })
    const key = manifest?.outputs.find((output) => output.name === 'transcript.json')?.key
    const stored = key ? JSON.parse((await readOutput(ports, key, { signal })).toString()) : null
    transcribed.push({ reference, record: records[index] as JobRecord, stored })
  }
}, 900_000)

afterAll(async () => {
  await stack[Symbol.asyncDispose]()
})

const speaking = () => transcribed.filter(({ reference }) => reference.expect === 'transcript')

/** Where people speak at the same time, with the words that begin or end there, in s. */
const OVERLAP_MARGIN_S = 0.3

/** What was said and what came out, without the stretches where people speak at the same time. */
function outsideOverlaps({ reference, stored }: Transcribed): [said: string, heard: string][] {
  return reference.lanes.map(({ channel }) => {
    const spoken = reference.utterances.filter((each) => each.channel === channel)
    const clear = spoken.filter(({ overlaps }) => !overlaps)
    const overlaps = spoken
      .filter((each) => each.overlaps)
      .map(({ startMs, wordEndsMs }) => [startMs / 1000, (wordEndsMs.at(-1) ?? 0) / 1000] as const)
    const isClear = (second: number) =>
      overlaps.every(([from, to]) => second < from || second > to + OVERLAP_MARGIN_S)
    const lane = stored?.lanes.find((each) => each.channel === channel)
    const words = stored?.words.filter((word) => (word.channel ?? null) === channel) ?? []
    const heard =
      overlaps.length === 0 ? lane?.text : wordsText(words.filter((w) => isClear(w.end)))
    return [clear.map(({ text }) => text).join(' '), heard ?? '']
  })
}

const wordsText = (words: readonly { word: string }[]) => words.map(({ word }) => word).join(' ')

function wordErrors(sample: Transcribed): { said: number; wrong: number } {
  const rates = outsideOverlaps(sample).map(([said, heard]) => wordErrorRate(said, heard))
  const sum = (value: (rate: (typeof rates)[number]) => number) =>
    rates.reduce((total, rate) => total + value(rate), 0)
  return {
    said: sum(({ words }) => words),
    wrong: sum((rate) => rate.substitutions + rate.insertions + rate.deletions),
  }
}

/** How far, in ms, each word that was recognized right ends from where it was said. */
function wordTimeErrors({ reference, stored }: Transcribed): number[] {
  return reference.utterances.flatMap(({ text, channel, wordEndsMs }) => {
    const heard = stored?.words.filter((word) => (word.channel ?? null) === channel) ?? []
    return text.split(' ').flatMap((said, index) => {
      const plain = comparableWords(said).join(' ')
      const same = heard.filter(({ word }) => comparableWords(word).join(' ') === plain)
      const endMs = wordEndsMs[index] ?? Number.NaN
      const nearest = Math.min(...same.map(({ end }) => Math.abs(end * 1000 - endMs)))
      return Number.isFinite(nearest) ? [nearest] : []
    })
  })
}

describe('the samples, recognized by the stand-in', () => {
  it('come out with 5 % of their words wrong at most, the hard meeting with 12 %', () => {
    const rows = speaking().map((sample) => ({
      name: sample.reference.name,
      ...wordErrors(sample),
    }))
    for (const { name, said, wrong } of rows) {
      const percent = ((100 * wrong) / said).toFixed(1)
      console.log(`${name.padEnd(10)} ${wrong} of ${said} words wrong, ${percent} %`)
    }
    const clean = rows.filter(({ name }) => name !== 'meeting')
    const said = clean.reduce((sum, row) => sum + row.said, 0)
    const wrong = clean.reduce((sum, row) => sum + row.wrong, 0)
    expect(said).toBeGreaterThan(300)
    expect(wrong / said).toBeLessThanOrEqual(0.05)
    expect(clean.filter((row) => row.wrong / row.said > 0.1)).toEqual([])
    const meeting = rows.find(({ name }) => name === 'meeting') ?? { said: 0, wrong: 1 }
    expect(meeting.said).toBeGreaterThan(200)
    expect(meeting.wrong / meeting.said).toBeLessThanOrEqual(0.12)
  })

  it('give words within 300 ms of where they were said, most within a second', () => {
    const errorsMs = speaking().flatMap(wordTimeErrors)
    errorsMs.sort((one, other) => one - other)
    const said = speaking().flatMap(({ reference }) => comparableWords(reference.text))
    expect(errorsMs.length).toBeGreaterThan(0.9 * said.length)
    const at = (share: number) => Math.round(errorsMs[Math.floor(share * errorsMs.length)] ?? 0)
    console.log(`word ends: median ${at(0.5)} ms, p95 ${at(0.95)} ms off`)
    expect(at(0.5)).toBeLessThanOrEqual(300)
    expect(at(0.95)).toBeLessThanOrEqual(1000)
  })

  it('hold their key phrases', () => {
    const missing = speaking().flatMap(({ reference, stored }) => {
      const text = ` ${comparableWords(stored?.text ?? '').join(' ')} `
      const lanes = stored?.lanes.map((lane) => ` ${comparableWords(lane.text).join(' ')} `) ?? []
      return reference.keyPhrases
        .filter((phrase) => ![text, ...lanes].some((said) => said.includes(` ${phrase} `)))
        .map((phrase) => `${reference.name}: ${phrase}`)
    })
    expect(missing).toEqual([])
  })

  it('say exactly when every word was heard: steps, usage and law agree', () => {
    const unsure = transcribed.filter(({ stored }) => stored && !stored.timing.verified)
    expect(unsure.map(({ reference }) => reference.name)).toEqual([])
  })

  it('silence is an empty transcript, and the broken one a job that failed with one sentence', () => {
    const silent = transcribed.find(({ reference }) => reference.expect === 'empty')
    expect(silent?.record).toMatchObject({ status: 'completed', error: null })
    expect(silent?.stored?.text).toBe('')
    const broken = transcribed.find(({ reference }) => reference.expect === 'error')
    expect(broken?.record).toMatchObject({ status: 'failed', error: { retryable: false } })
    expect(broken?.record.error?.detail).toContain('broken.mp3')
  })
})
