import { execFile } from 'node:child_process'
import {
  appendFile,
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import pLimit from 'p-limit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { printable } from '../../src/app/printable.js'
import { jobReport } from '../../src/cli/jobs/job-report.js'
import { expandSources } from '../../src/cli/submit/expand-sources.js'
import { type Submitted, submitOne } from '../../src/cli/submit/submit-sources.js'
import { systemRandom } from '../../src/kernel/random.js'
import { ownSpoolName } from '../../src/media/spool/spool-folders.js'
import type { JobRecord } from '../../src/queue/index.js'
import type { ObjectStore } from '../../src/storage/index.js'
import { CORPUS } from '../corpus/corpus.js'
import { type OddEnd, openInputBench, SCRIPT } from '../corpus/odd-input.js'
import { FILE_NAMES, KEY_NAMES, smallRecording } from '../corpus/odd-names.js'
import { type DevStack, startDevStack } from '../dev-stack.js'
import { runCli } from '../fakes/run-cli.js'
import { submitKey, transcriptOf } from '../job-results.js'

const run = promisify(execFile)
const { signal } = new AbortController()
const OPTIONS = {
  channels: 'mix',
  pace: 'max',
  priority: 0,
  deadlineAt: null,
  tenant: 'default',
} as const
const said = SCRIPT.map(({ text }) => text)

/** What became of an input. */
interface Outcome {
  submitted: Submitted
  /** Null where it did not become a job. */
  record: JobRecord | null
}

let folder: string
let stack: DevStack
let outside: Server
let askedOutside = 0
const outcomes = new Map<string, Outcome>()
const keyOutcomes = new Map<string, JobRecord>()

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-odd-'))
  await Promise.all(['in', 'made'].map((name) => mkdir(join(folder, name))))
  outside = createServer((_, response) => {
    askedOutside += 1
    response.end()
  })
  await new Promise<void>((resolve) => outside.listen(0, '127.0.0.1', resolve))
  stack = await startDevStack({ legs: { openAheadMs: 100, skipSilenceMs: 5_000 } })
  await stack.startWorker()
  const url = `http://127.0.0.1:${(outside.address() as AddressInfo).port}`
  const bench = await openInputBench(join(folder, 'made'), url)
  const limit = pLimit(4)
  const submitted = await Promise.all(
    CORPUS.map((input) =>
      limit(async () => {
        await writeFile(join(folder, 'in', input.name), await input.make(bench))
        return await submitFile(input.name)
      }),
    ),
  )
  const keys = KEY_NAMES.map(({ name }) => name.toString())
  const keyJobs = await Promise.all(
    keys.map((key, index) => submitKey(stack, key, smallRecording(index).bytes)),
  )
  for (const each of submitted) {
    const jobIds = each.outcome ? [each.outcome.jobId] : []
    const [record = null] = await stack.ended(jobIds)
    outcomes.set(basename(each.name), { submitted: each, record })
  }
  for (const [index, record] of (await stack.ended(keyJobs)).entries()) {
    keyOutcomes.set(keys[index] ?? '', record)
  }
}, 900_000)

afterAll(async () => {
  await stack[Symbol.asyncDispose]()
  await new Promise((resolve) => outside.close(resolve))
  await rm(folder, { recursive: true, force: true })
})

/** As `transcribe` and `submit` do it, in this process. */
async function submitFile(
  name: string,
  store: ObjectStore = stack.ports.store,
): Promise<Submitted> {
  const ports = { ...stack.ports, store }
  const spoolDir = join(stack.settings.stateDir, 'spool')
  const downloadBytesMax = stack.settings.media.sourceBytesMax
  const own = { ports, cwd: join(folder, 'in'), spoolDir }
  const expand = { ...own, downloadBytesMax, stdin: null, signal }
  const [source] = await expandSources(name, { ...expand, random: systemRandom() })
  if (!source) throw new Error(`nothing is named ${name}`)
  return await submitOne(ports, source, OPTIONS, signal)
}

describe('odd inputs', () => {
  it('are 60 or more, and no two have the same name', () => {
    expect(CORPUS.length).toBeGreaterThanOrEqual(60)
    expect(new Set(CORPUS.map(({ name }) => name)).size).toBe(CORPUS.length)
  })

  it.each(CORPUS.map((input) => [input.what, input] as const))('%s', async (_, input) => {
    const { submitted, record } = outcomes.get(input.name) as Outcome
    const { end } = input
    if (end.kind === 'transcript') {
      expect(record).toMatchObject({ status: 'completed', error: null })
      expect([...(record?.warnings ?? [])].sort()).toEqual([...end.warnings].sort())
      expectHeard(await wordsOf(record?.jobId ?? ''), end)
      return
    }
    const error = record?.error ?? submitted.error
    expect(error?.code).toBe(end.code)
    expect(error?.retryable).toBe(false)
    const sentence = record?.error?.detail ?? submitted.error?.message ?? ''
    expectSentence(sentence, input.name)
    expect(sentence).toContain(end.says)
    if (!record) return
    expect(record.status).toBe('failed')
    const history = await stack.ports.jobStore.history(record.jobId, { signal })
    // Trying again can't help, so nobody did.
    expect(history.map(({ entry }) => entry.kind)).not.toContain('attempt-failed')
    const story = jobReport(
      { record, history, manifest: null },
      { location: 'x', nowMs: Date.now() },
    )
    expect(story.join('\n')).toContain(sentence)
  })
})

describe('names of objects', () => {
  it.each(KEY_NAMES.map(({ what, name }, index) => [what, name.toString(), index] as const))(
    '%s',
    async (_, name, index) => {
      const record = keyOutcomes.get(name)
      expect(record).toMatchObject({ status: 'completed', sourceName: name, warnings: [] })
      expect(await wordsOf(record?.jobId ?? '')).toEqual(smallRecording(index).words)
    },
  )
})

describe('what is left', () => {
  it('no file of another was opened, and nobody was called', () => {
    expect(askedOutside).toBe(0)
  })

  it('no process, spool file, unfinished upload, held room or work of a job', async () => {
    expect(await childNames()).not.toContain('ffmpeg')
    expect(await childNames()).not.toContain('ffprobe')
    expect(await readdir(join(stack.settings.stateDir, 'spool', ownSpoolName()))).toEqual([])
    const unfinished: unknown[] = []
    for await (const put of stack.ports.store.unfinished({ signal })) unfinished.push(put)
    expect(unfinished).toEqual([])
    expect(await stack.ledger()).toMatchObject({ chains: [] })
    const work: string[] = []
    for await (const { key } of stack.ports.store.list('jobs/', { signal })) {
      if (/audio\.flac$|\/checkpoints\//.test(key)) work.push(key)
    }
    expect(work).toEqual([])
  })
})

describe('a file that is no plain file, or does not stay the same', () => {
  it.each([
    ['a pipe', 'pipe.wav', 'input_unsupported', 'is a pipe'],
    ['a device', '/dev/zero', 'input_unsupported', 'is a device'],
    ['a link to nothing', 'dangling.wav', 'input_not_found', 'a link to something that is not'],
    ['a link to itself', 'loop.wav', 'input_not_found', 'leads back to itself'],
    ['1,000 characters', `${'n'.repeat(1_000)}.wav`, 'input_not_found', 'There is no file'],
    ['a folder without recordings', 'nothing', 'input_not_found', 'no audio or video file'],
  ])('%s', async (_, name, code, says) => {
    const at = join(folder, 'in')
    if (name === 'pipe.wav') await run('mkfifo', [join(at, name)])
    if (name === 'dangling.wav') await symlink('nowhere', join(at, name))
    if (name === 'loop.wav') await symlink(name, join(at, name))
    if (name === 'nothing') await mkdir(join(at, name))
    const submitted = await submitFile(name).catch((error) => ({ error }))
    expect(submitted.error).toMatchObject({ name: 'InputError', code })
    expectSentence(submitted.error?.message ?? '', name)
    expect(submitted.error?.message).toContain(says)
  })

  it('a link to a recording is that recording', async () => {
    await symlink('8k.wav', join(folder, 'in', 'link.wav'))
    const { outcome, name } = await submitFile('link.wav')
    expect(name).toBe('link.wav')
    expect(outcome).toMatchObject({ kind: 'done', jobId: outcomes.get('8k.wav')?.record?.jobId })
  })

  it('one that is still being written is refused, and nothing of it is stored', async () => {
    const path = join(folder, 'in', 'growing.wav')
    await writeFile(path, smallRecording(500).bytes)
    const { store } = stack.ports
    const written: string[] = []
    // The list is looked at between the two times that the file is read.
    const list: ObjectStore['list'] = async function* (prefix, options) {
      await appendFile(path, 'more')
      written.push(prefix)
      yield* store.list(prefix, options)
    }
    const growing = new Proxy(store, {
      get: (target, name) => {
        const value = name === 'list' ? list : Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const { outcome, error } = await submitFile('growing.wav', growing)
    expect(outcome).toBeNull()
    expect(error).toMatchObject({ name: 'InputError', code: 'media_changed' })
    expectSentence(error?.message ?? '', 'growing.wav')
    for await (const { key } of store.list(written[0] ?? '', { signal })) expect(key).toBe('')
    await rm(path)
  })
})

describe('a folder with all of them', () => {
  const title = 'ends as a batch: every good one done, every bad one with its sentence, exit 0'
  it(title, { timeout: 600_000 }, async () => {
    const at = join(folder, 'in')
    const good = new Map<string, string[]>()
    for (const [index, { name }] of FILE_NAMES.entries()) {
      const { bytes, words } = smallRecording(100 + index)
      await writeFile(Buffer.concat([Buffer.from(`${at}/`), Buffer.from(name)]), bytes)
      good.set(name.toString(), words)
    }
    await writeFile(join(at, 'locked.wav'), smallRecording(200).bytes)
    await chmod(join(at, 'locked.wav'), 0)
    const extra = ['missing.wav', '/dev/zero', `${'n'.repeat(1_000)}.wav`]
    const env = {
      NIGHTSCRIBE_STORAGE: stack.settings.storage,
      NIGHTSCRIBE_STATE_DIR: stack.settings.stateDir,
      NIGHTSCRIBE_REDIS_URL: stack.redis.url,
      NIGHTSCRIBE_ENGINES: stack.standin.url,
      NIGHTSCRIBE_ENGINE_KEY: 'k',
    }
    const args = ['transcribe', 'in', ...extra, '--json', '--out', 'texts', '--pace', 'max']
    const { code, out, err } = await runCli(args, { env, cwd: folder })
    expect(code).toBe(0)
    const { results } = JSON.parse(out) as { results: Result[] }
    const byName = new Map(results.map((result) => [result.name.replace(/^in\//, ''), result]))
    for (const { name, end } of CORPUS) {
      const result = byName.get(name)
      expect(result?.error?.code ?? null, name).toBe(end.kind === 'refused' ? end.code : null)
      expect(result?.status, name).toBe(end.kind === 'refused' ? 'failed' : 'completed')
    }
    for (const [name, words] of good) {
      expect(byName.get(name)?.text?.split(/\s+/).filter(Boolean), name).toEqual(words)
    }
    for (const name of ['pipe.wav', 'dangling.wav', 'loop.wav', ...extra]) {
      expect(byName.get(name)?.status, name).toBe('failed')
    }
    // Nothing is hidden from root.
    const mayRead = process.getuid?.() === 0
    expect(byName.get('locked.wav')?.error?.code).toBe(mayRead ? undefined : 'input_forbidden')
    expect(results).toHaveLength((await readdir(at)).length - 1 + extra.length) // less `nothing`
    // Whatever a name holds, it is shown in one line and steers nothing.
    for (const line of err.split('\n')) expect(printable(line)).toBe(line)
    const saved = await readdir(join(folder, 'texts'))
    const done = results.filter(({ status }) => status === 'completed').length
    expect(saved.filter((name) => name.endsWith('.txt'))).toHaveLength(done)
  })
})

interface Result {
  name: string
  status: string
  error: { code: string } | null
  text: string | null
}

async function wordsOf(jobId: string): Promise<string[]> {
  return (await transcriptOf(stack, jobId)).words.map(({ word }) => word)
}

function expectHeard(words: readonly string[], end: OddEnd & { kind: 'transcript' }): void {
  if (end.heard === 'all') expect(words).toEqual(said)
  if (end.heard === 'twice') expect(words).toEqual([...said, ...said])
  if (end.heard === 'none') expect(words).toEqual([])
  if (end.heard === 'beginning') {
    expect(words.length).toBeGreaterThanOrEqual(4)
    expect(words).toEqual(said.slice(0, words.length))
  }
  if (end.heard === 'most') {
    expect(words.length).toBeGreaterThanOrEqual(said.length - 2)
    expect(words).toEqual(said.filter((word) => words.includes(word)))
  }
}

/** One sentence, or two joined by a semicolon, with the name and nothing that only we know. */
function expectSentence(sentence: string, name: string): void {
  expect(sentence).toContain(name)
  expect(sentence).toMatch(/^.+[^.]\.$/)
  expect(sentence).not.toMatch(/\n|127\.0\.0\.1|Unexpected|bug|undefined|null|errno|at .*:\d+:/)
}

/** Programs that this process has started and that still run. */
async function childNames(): Promise<string[]> {
  const threads = await readdir('/proc/self/task')
  const lists = threads.map((thread) => {
    return readFile(`/proc/self/task/${thread}/children`, 'utf8').catch(() => '') // it has ended
  })
  const pids = (await Promise.all(lists)).join(' ').split(/\s+/).filter(Boolean)
  const names = pids.map((pid) => readFile(`/proc/${pid}/comm`, 'utf8').catch(() => ''))
  return (await Promise.all(names)).map((name) => name.trim())
}
