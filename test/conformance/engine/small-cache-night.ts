import { pino } from 'pino'
import { workerEvents } from '../../../jobs/events.js'
import { startWorker } from '../../../jobs/start-worker.js'
import type { ControllerEvent } from '../../../src/admission/engine/engine-controller.js'
import { lanesHolding } from '../../../src/admission/ledger/ledger-changes.js'
import { RedisLedgerStore } from '../../../src/admission/store/redis-ledger-store.js'
import { projectRoot } from '../../../src/config/project-root.js'
import { readEngineGauges } from '../../../src/engines/engine-metrics.js'
import { readEngine } from '../../../src/engines/read-engine.js'
import { systemRandom } from '../../../src/kernel/random.js'
import type { KvModel } from '../../../src/model/kv-model.js'
import { sourceAddress } from '../../../src/pipeline/intake/source-address.js'
import { submitRecording } from '../../../src/pipeline/intake/submit-recording.js'
import { readManifest } from '../../../src/pipeline/result/commit-result.js'
import { readOutput } from '../../../src/pipeline/result/read-output.js'
import type { JobRecord } from '../../../src/queue/index.js'
import type { EngineAddress } from '../../../src/realtime/index.js'
import { wsTransportOpener } from '../../../src/realtime/ws-transport.js'
import { type DevStack, startDevStack } from '../../dev-stack.js'
import { requireEngine } from './engine-under-test.js'
import type { KvLook } from './kv-law.js'
import { pausedRecording, pcmOf } from './paused-recording.js'
import { type FrameIndex, indexFrames, type SentStretch, sentStretches } from './sent-stretch.js'
import { type LoggedSession, SessionLog } from './session-log.js'
import type { LegTranscript } from './whole-transcript.js'

/** Of every recording. */
const RECORDING = { durationMs: 180_000, everyMs: 3_000, pauseMs: 800 }
const RECORDINGS = 6
const LOOK_EVERY_MS = 1_000
const LOOK_TIMEOUT_MS = 5_000

/** The engine and its lanes at one moment. */
export interface NightLook extends KvLook {
  /** Recordings that hold a session, by the ledger. */
  readonly running: number
  readonly unfinished: number
}

/** What of `transcript.json` is looked at. */
export interface NightTranscript extends LegTranscript {
  metrics: { reconnects: number; stalls: number; delta_latency_ms: { p99: number | null } }
}

/** A night that is over. */
export interface Night {
  readonly records: readonly JobRecord[]
  /** In the order of the cards; null where a job has none. */
  readonly transcripts: readonly (NightTranscript | null)[]
  /** One a second. */
  readonly looks: readonly NightLook[]
  readonly sessions: readonly LoggedSession[]
  /** What they carried of which recording, in the order of the cards. */
  readonly stretches: readonly SentStretch[]
  readonly controllerEvents: readonly ControllerEvent[]
  readonly kvModel: KvModel
}

/**
 * Six recordings of 3 minutes at pace 1, with a pause every 3 s, go through one worker and the
 * engine under test, which is asked for its figures every second.
 * @param changes settings of the worker, beside the engine's address
 */
export async function smallCacheNight(
  changes: { admission: object; engine: object; legs: object },
  { signal }: { signal: AbortSignal },
): Promise<Night> {
  const { address, key: engineKey } = requireEngine()
  await using stack = await startDevStack({
    engines: [`${address}/v1/realtime`],
    engineKey,
    ...changes,
  })
  const { settings } = stack
  const { clock } = stack.ports
  const url = settings.engines[0] as string
  const engine = await readEngine(settings, { url, root: projectRoot() }, { signal })
  const log = new SessionLog(wsTransportOpener(settings.engine), () => clock.monotonicMs())
  const controllerEvents: ControllerEvent[] = []
  const events = {
    ...workerEvents(pino({ level: 'silent' })),
    engine: (_url: string, event: ControllerEvent) => void controllerEvents.push(event),
  }
  const options = { clock, random: systemRandom(), events, opener: log, signal }
  await using _worker = await startWorker(settings, options)
  const { jobIds, frames } = await submitAll(stack, signal)
  const left = new Set(jobIds)
  const end = async (jobId: string) => {
    const [record] = await stack.ended([jobId])
    left.delete(jobId)
    return record as JobRecord
  }
  const looking = lookEachSecond(stack, engine.address, () => left.size, signal)
  const [records, looks] = await Promise.all([Promise.all(jobIds.map(end)), looking])
  const transcripts: (NightTranscript | null)[] = []
  for (const jobId of jobIds) transcripts.push(await transcriptOf(stack, jobId, signal))
  const { kvModel } = engine
  const { sessions } = log
  const stretches = sentStretches(sessions, frames)
  return { records, transcripts, looks, sessions, stretches, controllerEvents, kvModel }
}

/** Until nothing is left. */
async function lookEachSecond(
  { ports }: DevStack,
  engine: EngineAddress,
  unfinishedNow: () => number,
  signal: AbortSignal,
): Promise<NightLook[]> {
  const { clock, commands } = ports
  const ledgers = new RedisLedgerStore(commands)
  const looks: NightLook[] = []
  for (let unfinished = unfinishedNow(); unfinished > 0; unfinished = unfinishedNow()) {
    const askedMs = clock.monotonicMs()
    const timeoutMs = LOOK_TIMEOUT_MS
    const { kvBlocksHeld } = await readEngineGauges(engine, { timeoutMs }, { signal })
    const answeredMs = clock.monotonicMs()
    const { ledger } = await ledgers.read(engine.url, { signal })
    const running = lanesHolding(ledger, '')
    if (kvBlocksHeld === null) throw new Error(`${engine.url} doesn't tell its KV usage.`)
    looks.push({ askedMs, answeredMs, measuredBlocks: kvBlocksHeld, running, unfinished })
    await clock.sleepUntil(askedMs + LOOK_EVERY_MS, { signal })
  }
  return looks
}

async function submitAll(
  stack: DevStack,
  signal: AbortSignal,
): Promise<{ jobIds: string[]; frames: FrameIndex }> {
  const { store } = stack.ports
  const jobIds: string[] = []
  const wavs: Buffer[] = []
  for (let seed = 1; seed <= RECORDINGS; seed += 1) {
    const key = `in/${seed}.wav`
    const wav = await pausedRecording({ seed, ...RECORDING })
    wavs.push(wav)
    await store.put(key, wav, { signal })
    const options = {
      channels: 'mix',
      pace: 1,
      priority: 0,
      deadlineAt: null,
      tenant: 'default',
    } as const
    const submission = { ...sourceAddress(store, key), ...options }
    jobIds.push((await submitRecording(stack.ports, submission, { signal })).jobId)
  }
  return { jobIds, frames: indexFrames(wavs.map(pcmOf)) }
}

/** Null where the job has none: its card says why. */
async function transcriptOf(
  { ports }: DevStack,
  jobId: string,
  signal: AbortSignal,
): Promise<NightTranscript | null> {
  const manifest = await readManifest(ports.store, jobId, { signal })
  const output = manifest?.outputs.find(({ name }) => name === 'transcript.json')
  if (!output) return null
  return JSON.parse((await readOutput(ports, output.key, { signal })).toString())
}
