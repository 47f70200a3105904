import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { jobStory } from '../../src/cli/job-story.js'
import { readOutput } from '../../src/cli/results.js'
import { ownSpoolName } from '../../src/media/spool-folders.js'
import { readManifest } from '../../src/pipeline/commit-result.js'
import { sourceAddress } from '../../src/pipeline/source-address.js'
import { submitRecording } from '../../src/pipeline/submit-recording.js'
import { type DevStack, startDevStack } from '../dev-stack.js'
import { toneRecording } from '../fakes/tone-recording.js'

const run = promisify(execFile)
const signal = new AbortController().signal
const DURATION_MAX_MS = 20_000
let folder: string
let stack: DevStack

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-bad-'))
  stack = await startDevStack({
    media: { durationMaxMs: DURATION_MAX_MS, sourceBytesMax: 2 ** 20 },
  })
  await stack.startWorker()
})
afterAll(async () => {
  await stack[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

async function submit(name: string, bytes: Buffer) {
  const key = `in/${name}`
  await stack.ports.store.put(key, bytes, { signal })
  const options = { channels: 'mix', pace: 'max', priority: 0, deadlineAt: null } as const
  const address = sourceAddress(stack.ports.store, key)
  return await submitRecording(stack.ports, { ...address, ...options }, { signal })
}

async function ffmpeg(name: string, args: readonly string[]): Promise<Buffer> {
  const path = join(folder, name)
  await run('ffmpeg', ['-v', 'error', '-y', ...args, path])
  return await readFile(path)
}

const cut = (bytes: Buffer, share: number) => bytes.subarray(0, Math.floor(bytes.length * share))
const sine = (seconds: number) => ['-f', 'lavfi', '-i', `sine=frequency=300:duration=${seconds}`]

const bad: Record<string, { name: string; code: string; make: () => Promise<Buffer> }> = {
  'text named .mp3': {
    name: 'text.mp3',
    code: 'input_unsupported|media_corrupt',
    make: async () => Buffer.from('Dear all, please find the minutes below.\n'.repeat(100)),
  },
  'a picture': {
    name: 'picture.wav',
    code: 'no_audio_stream|input_unsupported|media_corrupt',
    make: () => ffmpeg('p.png', ['-f', 'lavfi', '-i', 'testsrc=size=64x64', '-frames:v', '1']),
  },
  'an m4a without its index': {
    name: 'noindex.m4a',
    code: 'media_corrupt',
    make: async () => cut(await ffmpeg('n.m4a', [...sine(8), '-c:a', 'aac']), 0.9),
  },
  'a video without an audio track': {
    name: 'mute.mp4',
    code: 'no_audio_stream',
    make: () => ffmpeg('m.mp4', ['-f', 'lavfi', '-i', 'testsrc=size=64x64:rate=5:duration=2']),
  },
  'more audio than is allowed': {
    name: 'long.mp3',
    code: 'media_too_long',
    make: () => ffmpeg('l.mp3', [...sine(1 + DURATION_MAX_MS / 1000), '-b:a', '16k']),
  },
  'more bytes than are allowed': {
    name: 'large.wav',
    code: 'media_too_large',
    make: () => ffmpeg('large.wav', [...sine(15), '-ar', '44100']),
  },
  'a playlist that names other files': {
    name: 'list.m3u8',
    code: 'input_unsupported|media_corrupt',
    make: async () =>
      Buffer.from(
        '#EXTM3U\n#EXTINF:10,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n'.padEnd(400, '#\n'),
      ),
  },
}

describe('a recording that is none', () => {
  it.each(Object.entries(bad))(
    '%s: the job fails for good, with one sentence',
    async (_, input) => {
      const { jobId } = await submit(input.name, await input.make())
      const [card] = await stack.ended([jobId])
      expect(card).toMatchObject({
        status: 'failed',
        error: { retryable: false, stage: 'analyse' },
      })
      expect(card?.error?.code).toMatch(new RegExp(`^(${input.code})$`))
      expect(card?.error?.detail).toContain(input.name)
      expect(card?.error?.detail).not.toMatch(/\n|127\.0\.0\.1/)
      const history = await stack.ports.board.history(jobId)
      const told = { card: card ?? neverCard(), history, manifest: null }
      const story = jobStory(told, { location: 'x', nowMs: Date.now() })
      expect(story.join('\n')).toContain(card?.error?.detail)
      expect(await spoolFiles()).toEqual([])
    },
  )

  it('0 bytes are refused at once', async () => {
    await expect(submit('empty.wav', Buffer.alloc(0))).rejects.toMatchObject({
      code: 'media_corrupt',
      message: expect.stringContaining('in/empty.wav is empty'),
    })
  })

  it('an object that is not there is refused at once', async () => {
    const address = sourceAddress(stack.ports.store, 'in/nowhere.wav')
    const options = { channels: 'mix', pace: 'max', priority: 0, deadlineAt: null } as const
    const refused = submitRecording(stack.ports, { ...address, ...options }, { signal })
    await expect(refused).rejects.toMatchObject({ code: 'input_not_found' })
  })
})

describe('a recording that was cut in the middle', () => {
  it.each([
    ['mp3 with a Xing header', 'mp3', ['-b:a', '32k']],
    ['WebM', 'webm', ['-c:a', 'libopus', '-b:a', '32k']],
    ['Ogg', 'ogg', ['-c:a', 'libopus', '-b:a', '32k']],
  ])('%s is transcribed as far as it goes, with a warning', async (_, ending, args) => {
    const seed = 500 + ending.length
    const recording = await toneRecording({ folder, seed, count: 40, encode: { ending, args } })
    const { jobId } = await submit(`cut.${ending}`, cut(recording.bytes, 0.6))
    const [card] = await stack.ended([jobId])
    expect(card).toMatchObject({ status: 'completed', error: null })
    expect(card?.warnings).toContain('media_truncated')
    const manifest = await readManifest(stack.ports.store, jobId, { signal })
    expect(manifest?.warnings).toContain('media_truncated')
    const key = manifest?.outputs[0]?.key ?? ''
    const stored = JSON.parse((await readOutput(stack.ports, key, { signal })).toString())
    const heard = stored.words.map(({ word }: { word: string }) => word)
    const said = (recording.words[0] ?? []).map(({ text }) => text)
    expect(heard.length).toBeGreaterThan(15)
    expect(heard).toEqual(said.slice(0, heard.length))
  })
})

async function spoolFiles(): Promise<string[]> {
  return await readdir(join(stack.settings.stateDir, 'spool', ownSpoolName()))
}

function neverCard(): never {
  throw new Error('the job has no card')
}
