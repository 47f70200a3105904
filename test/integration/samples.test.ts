import { readFileSync } from 'node:fs'
import { basename, join, parse } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createPocketsphinxFactory,
  recognizeWhole,
} from '../../gpu/standin/recognizers/pocketsphinx-recognizer.js'
import { projectRoot } from '../../src/app/project-root.js'
import { readSamples } from '../../src/cli/stack/samples.js'
import { submitRecording } from '../../src/pipeline/intake/submit-recording.js'
import { readManifest } from '../../src/pipeline/result/commit-result.js'
import { readOutput } from '../../src/pipeline/result/read-output.js'
import type { JobRecord } from '../../src/queue/index.js'
import { comparableWords, wordErrorRate } from '../../src/transcript/words/word-error-rate.js'
import { type DevStack, startDevStack } from '../dev-stack.js'
import { referencePcm } from '../fakes/media-workbench.js'

const signal = new AbortController().signal

interface Reference {
  name: string
  expect: 'transcript' | 'empty' | 'error'
  lanes: { channel: number | null; text: string }[]
  keyPhrases: string[]
}

interface Transcribed {
  reference: Reference
  record: JobRecord
  stored: {
    text: string
    timing: { verified: boolean }
    lanes: { channel: number | null; text: string }[]
    words: { word: string; end: number; interpolated: { end: boolean } }[]
  } | null
}

let stack: DevStack
const transcribed: Transcribed[] = []

/** All samples once through the whole way, as fast as the recognizer keeps up. */
beforeAll(async () => {
  stack = await startDevStack(
    { vad: { method: 'auto' }, engine: { sessionsMax: 4, stallTimeoutMs: 300_000 } },
    { recognizer: createPocketsphinxFactory() },
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

describe('the samples, recognized by the stand-in', () => {
  it('come out with a word error rate of 25 % or less over all', () => {
    let words = 0
    let errors = 0
    for (const { reference, stored } of speaking()) {
      const rates = reference.lanes.map(({ channel, text }) => {
        const lane = stored?.lanes.find((entry) => entry.channel === channel)
        return wordErrorRate(text, lane?.text ?? '')
      })
      const said = rates.reduce((sum, rate) => sum + rate.words, 0)
      const wrong = rates.reduce(
        (sum, { substitutions, insertions, deletions }) =>
          sum + substitutions + insertions + deletions,
        0,
      )
      words += said
      errors += wrong
      const percent = ((100 * wrong) / said).toFixed(1)
      console.log(`${reference.name.padEnd(10)} ${wrong} of ${said} words wrong, ${percent} %`)
    }
    console.log(
      `all        ${errors} of ${words} words wrong, ${((100 * errors) / words).toFixed(1)} %`,
    )
    expect(words).toBeGreaterThan(400)
    expect(errors / words).toBeLessThanOrEqual(0.25)
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

  it.each(['standup', 'webinar'])(
    'give the ends of groups in %s as the recognizer hears them in one pass',
    async (name) => {
      const found = transcribed.find(({ reference }) => reference.name === name)
      const file = join(projectRoot(), 'samples', 'audio', basename(found?.record.sourceName ?? ''))
      const pcm = await referencePcm(file, 1)
      const samples = new Int16Array(pcm.buffer, pcm.byteOffset, pcm.byteLength / 2)
      const heard = await recognizeWhole(samples, { signal })
      const exact = found?.stored?.words.filter(({ interpolated }) => !interpolated.end) ?? []
      const differencesMs = exact.flatMap(({ word, end }) => {
        const same = heard.filter(({ text }) => text === word)
        const nearest = Math.min(...same.map(({ endMs }) => Math.abs(endMs - end * 1000)))
        // One pass and utterances may differ in a word.
        return Number.isFinite(nearest) ? nearest : []
      })
      expect(differencesMs.length).toBeGreaterThan(heard.length / 2)
      expect(Math.max(...differencesMs)).toBeLessThanOrEqual(160)
    },
  )

  it('silence is an empty transcript, and the broken one a job that failed with one sentence', () => {
    const silent = transcribed.find(({ reference }) => reference.expect === 'empty')
    expect(silent?.record).toMatchObject({ status: 'completed', error: null })
    expect(silent?.stored?.text).toBe('')
    const broken = transcribed.find(({ reference }) => reference.expect === 'error')
    expect(broken?.record).toMatchObject({ status: 'failed', error: { retryable: false } })
    expect(broken?.record.error?.detail).toContain('broken.mp3')
  })
})
