import { parseArgs } from 'node:util'
import { RedisLedgerStore } from '../../src/admission/store/redis-ledger-store.js'
import type { RunningChild } from '../../src/cli/stack/child-process.js'
import { sleepFor, systemClock } from '../../src/kernel/clock.js'
import { seededRandom } from '../../src/kernel/seeded-random.js'
import { sourceAddress } from '../../src/pipeline/intake/source-address.js'
import { submitRecording } from '../../src/pipeline/intake/submit-recording.js'
import { readManifest } from '../../src/pipeline/result/commit-result.js'
import { readOutput } from '../../src/pipeline/result/read-output.js'
import { isFinal } from '../../src/queue/contract/job-status.js'
import type { JobRecord } from '../../src/queue/index.js'
import { phrases, type ToneRecording, toneRecording } from '../fakes/tone-recording.js'
import { reportHead, writeReport } from './bench-report.js'
import { type BenchStack, startBenchStack, untilCards } from './bench-stack.js'

/**
 * Recordings at pace 1 on two workers with the default settings. Workers are killed, one after the
 * other, each at a moment by chance, and the last one is frozen (SIGSTOP) until others have its
 * recordings. Told of each: how long until its recordings were sent on by another worker, and how
 * much of their audio was sent again.
 *
 *   npm run bench:takeover -- [--recordings 6] [--seconds 900] [--kills 5] [--seed 1]
 *
 * What was answered at the moment of the kill is read from the card, which may be 0.5 s behind.
 * The exit code is 1 when a word is lost or doubled, or a bound is broken.
 */
const KILLED_MS_MAX = 45_000
const FROZEN_MS_MAX = 90_000
/** A minute between checkpoints, and the way back to the pause before. */
const REDONE_MS_MAX = 60_000 + 30_000

const EVERY_MS = 400
const PHRASE_WORDS = 15
const PHRASE_MS = PHRASE_WORDS * EVERY_MS + 1_000
/** A checkpoint is written every 45 s of audio: kills fall into all parts of that. */
const RUN_MS_MIN = 25_000
const RUN_MS_MAX = 75_000
const LOOK_MS = 100

const { values: flags } = parseArgs({
  options: {
    recordings: { type: 'string', default: '6' },
    seconds: { type: 'string', default: '900' },
    kills: { type: 'string', default: '5' },
    seed: { type: 'string', default: '1' },
    blocks: { type: 'string', default: '1729' },
  },
})
const blocks = Number(flags.blocks)
const signal = new AbortController().signal
const clock = systemClock()
const random = seededRandom(Number(flags.seed))

/** What came of one worker's end. */
interface Takeover {
  how: 'killed' | 'frozen'
  /** How long its recordings had run since the one before. */
  ran_ms: number
  /** Of each recording that it had: until another worker sent its audio. */
  went_on_ms: number[]
  /** Audio that was answered before and is sent again. */
  redone_ms: number[]
}

type Jobs = ReadonlyMap<string, ToneRecording>

async function main(): Promise<void> {
  await using bench = await startBenchStack({ blocks })
  const workers = [await bench.startWorker(), await bench.startWorker()]
  const jobs = await submitAll(bench)
  await untilCards(jobs.keys(), bench, ({ status }) => status === 'running')
  const takeovers: Takeover[] = []
  const watch = watchBlocks(bench)
  for (let round = 0; round <= Number(flags.kills); round += 1) {
    const how = round < Number(flags.kills) ? 'killed' : 'frozen'
    const ranMs = RUN_MS_MIN + random.uniform() * (RUN_MS_MAX - RUN_MS_MIN)
    await sleepFor(clock, ranMs, { signal })
    const takeover = await loseOne(bench, { workers, jobs, how, watch: watch.look })
    const told = { ...takeover, ran_ms: Math.round(ranMs) }
    takeovers.push(told)
    process.stderr.write(`${JSON.stringify(told)}\n`)
  }
  await untilCards(jobs.keys(), bench, ({ status }) => isFinal(status), { watch: watch.look })
  const wrong = await wrongRecordings(bench, jobs)
  const worst = (how: string, of: 'went_on_ms' | 'redone_ms') =>
    Math.max(0, ...takeovers.filter((each) => each.how === how).flatMap((each) => each[of]))
  const figures = {
    killed_went_on_ms_worst: worst('killed', 'went_on_ms'),
    frozen_went_on_ms_worst: worst('frozen', 'went_on_ms'),
    killed_redone_ms_worst: worst('killed', 'redone_ms'),
    frozen_redone_ms_worst: worst('frozen', 'redone_ms'),
    recordings_wrong: wrong,
    kv_blocks_held_max: watch.blocksHeldMax(),
    kv_blocks_usable: blocks - 1,
  }
  const { seed, recordings, seconds } = flags
  await writeReport({
    ...reportHead('takeover', { blocks }),
    ...{ seed: Number(seed), recordings: Number(recordings), seconds: Number(seconds) },
    ...{ workers: workers.length, takeovers: takeovers.length },
    ...figures,
    rounds: takeovers,
  })
  const isGood =
    wrong === 0 &&
    takeovers.every((each) => each.went_on_ms.length > 0) &&
    figures.killed_went_on_ms_worst < KILLED_MS_MAX &&
    figures.frozen_went_on_ms_worst < FROZEN_MS_MAX &&
    Math.max(figures.killed_redone_ms_worst, figures.frozen_redone_ms_worst) <= REDONE_MS_MAX &&
    figures.kv_blocks_held_max <= figures.kv_blocks_usable
  process.exitCode = isGood ? 0 : 1
}

async function submitAll({ folder, ports }: BenchStack): Promise<Jobs> {
  const jobs = new Map<string, ToneRecording>()
  const count = Math.floor((Number(flags.seconds) * 1000 * PHRASE_WORDS) / PHRASE_MS)
  for (let seed = 0; seed < Number(flags.recordings); seed += 1) {
    const recording = await toneRecording({
      ...{ folder, seed, count, everyMs: EVERY_MS, pauseBeforeMs: phrases(PHRASE_WORDS) },
      encode: { ending: 'flac', args: [] },
    })
    const key = `in/${seed}.flac`
    await ports.store.put(key, recording.bytes, { signal })
    const options = {
      channels: 'mix',
      pace: 1,
      priority: 0,
      deadlineAt: null,
      tenant: 'default',
    } as const
    const address = sourceAddress(ports.store, key)
    const { jobId } = await submitRecording(ports, { ...address, ...options }, { signal })
    jobs.set(jobId, { ...recording, bytes: Buffer.alloc(0) })
  }
  return jobs
}

/** Ends the worker that carries most, and waits until all that it had goes on elsewhere. */
async function loseOne(
  bench: BenchStack,
  round: {
    workers: RunningChild[]
    jobs: Jobs
    how: Takeover['how']
    watch: () => Promise<void>
  },
): Promise<Omit<Takeover, 'ran_ms'>> {
  const { workers, how, watch } = round
  const [victim, carried] = await busiest(bench, workers)
  const before = new Map<string, JobRecord>()
  process.kill(victim.pid, how === 'killed' ? 'SIGKILL' : 'SIGSTOP')
  const lostMs = clock.monotonicMs()
  for (const jobId of carried) before.set(jobId, await cardOf(bench, jobId))
  const wentOn = new Map<string, number>()
  const hasGoneOn = ({ jobId, fence, status }: JobRecord) => {
    const isOn = status === 'running' && fence !== before.get(jobId)?.fence
    if (isOn && !wentOn.has(jobId)) wentOn.set(jobId, Math.round(clock.monotonicMs() - lostMs))
    return isOn || isFinal(status)
  }
  await untilCards(carried, bench, hasGoneOn, { everyMs: LOOK_MS, watch })
  if (how === 'frozen') process.kill(victim.pid, 'SIGCONT')
  else workers[workers.indexOf(victim)] = await bench.startWorker()
  const redone: number[] = []
  for (const jobId of wentOn.keys()) {
    const answeredMs = before.get(jobId)?.audioMsDone ?? 0
    redone.push(Math.max(0, Math.round(answeredMs - (await resumedFromMs(bench, jobId)))))
  }
  return { how, went_on_ms: [...wentOn.values()], redone_ms: redone }
}

/** The worker with the most recordings in the ledger, and those. */
async function busiest(
  { ports, engineUrl }: BenchStack,
  workers: readonly RunningChild[],
): Promise<[RunningChild, string[]]> {
  const ledgers = new RedisLedgerStore(ports.commands)
  const { ledger } = await ledgers.read(engineUrl, { signal })
  const carriedBy = ({ pid }: RunningChild) => {
    const own = ledger.chains.filter(({ worker }) => worker.startsWith(`${pid}-`))
    return own.map(({ id }) => id.split('/')[0] ?? id)
  }
  const all = workers.map((worker): [RunningChild, string[]] => [worker, carriedBy(worker)])
  const [first] = all.sort(([, one], [, other]) => other.length - one.length)
  if (!first || first[1].length === 0) throw new Error('no worker carries anything any more')
  return first
}

async function cardOf({ ports }: BenchStack, jobId: string): Promise<JobRecord> {
  const record = await ports.jobStore.get(jobId, { signal })
  if (!record) throw new Error(`there is no card of ${jobId}`)
  return record
}

/** Where the running try of a job went on. */
async function resumedFromMs({ ports }: BenchStack, jobId: string): Promise<number> {
  const notes = (await ports.jobStore.history(jobId, { signal })).map(({ entry }) => entry)
  const admitted = notes.flatMap((note) =>
    note.kind === 'admitted' ? [note.checkpointedAudioMs] : [],
  )
  return admitted.at(-1) ?? 0
}

function watchBlocks(bench: BenchStack) {
  let heldMax = 0
  const look = async () => {
    heldMax = Math.max(heldMax, (await bench.gauges()).kvBlocksHeld ?? 0)
  }
  return { look, blocksHeldMax: () => heldMax }
}

/** Recordings of which a word is lost, doubled or out of its place. */
async function wrongRecordings({ ports }: BenchStack, jobs: Jobs): Promise<number> {
  let wrong = 0
  for (const [jobId, recording] of jobs) {
    const said = (recording.words[0] ?? []).map(({ text }) => text)
    const manifest = await readManifest(ports.store, jobId, { signal })
    const key = manifest?.outputs.find(({ name }) => name === 'transcript.json')?.key
    if (key === undefined) {
      console.error(jobId, (await ports.jobStore.get(jobId, { signal }))?.error)
      wrong += 1
      continue
    }
    const { words } = JSON.parse((await readOutput(ports, key, { signal })).toString())
    const heard = words.map(({ word }: { word: string }) => word)
    if (heard.join(' ') !== said.join(' ')) wrong += 1
  }
  return wrong
}

await main()
