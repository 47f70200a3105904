import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { workerEvents } from '../../../jobs/events.js'
import { startWorker } from '../../../jobs/start-worker.js'
import { CleanupStack } from '../../../src/kernel/cleanup-stack.js'
import type { Clock } from '../../../src/kernel/clock.js'
import { systemRandom } from '../../../src/kernel/random.js'
import { STEP_MS } from '../../../src/model/pcm.js'
import { isFinal } from '../../../src/queue/contract/job-status.js'
import type { JobRecord } from '../../../src/queue/index.js'
import { wsTransportOpener } from '../../../src/realtime/ws-transport.js'
import { type DevStack, startDevStack } from '../../dev-stack.js'
import { OPEN } from '../../fakes/open-signal.js'
import { submitTo } from '../../job-results.js'
import type { OwnEngine } from './own-engine.js'
import { pausedRecording, pcmOf } from './paused-recording.js'
import { type FrameIndex, indexFrames, sentStretches } from './sent-stretch.js'
import { SessionLog } from './session-log.js'

/** What a CPU build carries at pace 1 beside everything else on two cores. */
const RECORDINGS = 6
const LOOK_EVERY_MS = 500

/** One worker, one engine, and recordings at pace 1 on their way through both. */
export interface PacedNight extends AsyncDisposable {
  readonly stack: DevStack
  /** Of the log, and of all times here. */
  readonly clock: Clock
  readonly log: SessionLog
  readonly frames: FrameIndex
  /** In the order of the recordings. */
  readonly jobIds: readonly string[]
  /** When the worker found the engine in which state. */
  readonly health: readonly { state: string; atMs: number }[]
}

/** @param recording of each, see `pausedRecording` */
export async function startPacedNight(
  engine: OwnEngine,
  recording: { durationMs: number; everyMs: number; pauseMs: number },
): Promise<PacedNight> {
  const cleanup = new CleanupStack()
  try {
    const stack = cleanup.use(
      await startDevStack({
        ...{ engines: [engine.url], engineKey: engine.key },
        engine: { sessionsMax: RECORDINGS },
        // What a shared CPU needs for a step now and then isn't the knee's business.
        admission: { kneeLagMs: 60_000 },
        // So that legs change over between the deaths, and on some of them.
        legs: { floorMs: 12_000, ceilingMs: 30_000 },
        queue: {}, // those that people have
      }),
    )
    const { settings } = stack
    const { clock } = stack.ports
    const log = new SessionLog(wsTransportOpener(settings.engine), () => clock.monotonicMs())
    const health: { state: string; atMs: number }[] = []
    const events = {
      ...workerEvents(pino({ level: 'silent' })),
      engineHealth: (_url: string, state: string) => {
        health.push({ state, atMs: clock.monotonicMs() })
      },
    }
    const { signal } = new AbortController()
    const options = { clock, random: systemRandom(), events, opener: log, signal }
    cleanup.use(await startWorker(settings, options))
    const wavs: Buffer[] = []
    const jobIds: string[] = []
    for (let seed = 1; seed <= RECORDINGS; seed += 1) {
      const wav = await pausedRecording({ seed, ...recording })
      wavs.push(wav)
      jobIds.push(await submitTo(stack, `${seed}.wav`, wav, { pace: 1 }))
    }
    const frames = indexFrames(wavs.map(pcmOf))
    const dispose = () => cleanup[Symbol.asyncDispose]()
    return { stack, clock, log, frames, jobIds, health, [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await cleanup[Symbol.asyncDispose]()
    throw error
  }
}

/** All jobs as they stand. */
export async function cardsOf({ stack, jobIds }: PacedNight): Promise<(JobRecord | null)[]> {
  return await Promise.all(jobIds.map((jobId) => stack.ports.jobStore.get(jobId, OPEN)))
}

/**
 * Waits until every recording has got so much text since a moment, or a job has ended.
 * @param more audio that the text is of
 */
export async function untilCarried(
  night: PacedNight,
  more: { sinceMs: number; audioMs: number },
): Promise<void> {
  for (;;) {
    const sessions = night.log.sessions.filter(({ openedMs }) => openedMs > more.sinceMs)
    const stretches = sentStretches(sessions, night.frames)
    const carriedMs = night.jobIds.map((_, recording) => {
      const ours = stretches.filter((stretch) => stretch.recording === recording)
      return ours.reduce((sum, { session }) => sum + session.texts.length * STEP_MS, 0)
    })
    if (Math.min(...carriedMs) >= more.audioMs) return
    if ((await cardsOf(night)).some((record) => record !== null && isFinal(record.status))) return
    await sleep(LOOK_EVERY_MS)
  }
}
