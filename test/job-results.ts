import { expect } from 'vitest'
import { sourceAddress } from '../src/pipeline/intake/source-address.js'
import { type Submission, submitRecording } from '../src/pipeline/intake/submit-recording.js'
import { readManifest } from '../src/pipeline/result/commit-result.js'
import { readOutput } from '../src/pipeline/result/read-output.js'
import type { DevStack } from './dev-stack.js'
import type { ToneRecording } from './fakes/tone-recording.js'

const never = new AbortController().signal

/** What the tests read of `transcript.json`. */
export interface StoredTranscript {
  text: string
  words: { word: string; start: number; end: number; channel: number | null }[]
  timing: { method: string; verified: boolean }
  legs: { start: number; end: number; cut: string; deltas: number; timing: string }[]
  warnings: string[]
}

/** Puts a recording into the stack's storage and submits it. @returns the job's id */
export async function submitTo(
  stack: DevStack,
  name: string,
  bytes: Buffer,
  changes: Partial<Submission> = {},
): Promise<string> {
  return await submitKey(stack, `in/${name}`, bytes, changes)
}

/** The same under any key. @returns the job's id */
export async function submitKey(
  stack: DevStack,
  key: string,
  bytes: Buffer,
  changes: Partial<Submission> = {},
): Promise<string> {
  await stack.ports.store.put(key, bytes, { signal: never })
  const address = sourceAddress(stack.ports.store, key)
  const options = {
    channels: 'mix',
    pace: 'max',
    priority: 0,
    deadlineAt: null,
    tenant: 'default',
  } as const
  const submission = { ...address, ...options, ...changes }
  return (await submitRecording(stack.ports, submission, { signal: never })).jobId
}

/** Submits recordings, and has them analysed; none is transcribed before `letGo`. */
export async function submitHeld(
  stack: DevStack,
  all: readonly Pick<ToneRecording, 'bytes'>[],
  changes: Partial<Submission> = {},
): Promise<{ jobIds: string[]; letGo: () => Promise<void> }> {
  const letGo = await stack.holdTranscriptions()
  const jobIds: string[] = []
  for (const [at, { bytes }] of all.entries()) {
    jobIds.push(await submitTo(stack, `${at}-${bytes.length}.wav`, bytes, changes))
  }
  for (const jobId of jobIds) await stack.until(jobId, ({ status }) => status === 'queued')
  return { jobIds, letGo }
}

/** One file of a job's result. */
export async function outputOf(stack: DevStack, jobId: string, name: string): Promise<string> {
  const manifest = await readManifest(stack.ports.store, jobId, { signal: never })
  const key = manifest?.outputs.find((entry) => entry.name === name)?.key ?? `no ${name}`
  return (await readOutput(stack.ports, key, { signal: never })).toString()
}

/** The transcript of a job that is done. */
export async function transcriptOf(stack: DevStack, jobId: string): Promise<StoredTranscript> {
  return JSON.parse(await outputOf(stack, jobId, 'transcript.json'))
}

/** Every word once, in order, its end within a step of the truth. */
export function expectWords(
  stored: StoredTranscript,
  recording: ToneRecording,
  channel: number | null = null,
): void {
  const heard = stored.words.filter((word) => word.channel === channel)
  const said = recording.words[channel ?? 0] ?? []
  expect(heard.map(({ word }) => word)).toEqual(said.map(({ text }) => text))
  const offMs = heard.map(({ end }, index) => Math.abs(end * 1000 - (said[index]?.endMs ?? 0)))
  expect(Math.max(0, ...offMs)).toBeLessThanOrEqual(80)
}

/** Legs that follow each other without a gap, from the beginning of a recording to its end. */
export function expectContiguous({ legs }: StoredTranscript, recording: ToneRecording): void {
  for (const [index, leg] of legs.entries()) {
    const before = index === 0 ? 0 : legs[index - 1]?.end
    expect(leg.start, `start of leg ${index}`).toBe(before)
  }
  expect((legs.at(-1)?.end ?? 0) * 1000).toBeCloseTo(recording.durationMs, 0)
}
