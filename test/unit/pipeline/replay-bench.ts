import { SessionTracker } from '../../../src/admission/engine/session-activity.js'
import type { LaneChain } from '../../../src/admission/lane/lane-chain.js'
import type { LegLease } from '../../../src/admission/lane/leg-lease.js'
import type { CutOption } from '../../../src/admission/legs/cut-option.js'
import { sleepFor } from '../../../src/kernel/clock.js'
import { UpstreamError } from '../../../src/kernel/errors.js'
import { JobMeter } from '../../../src/latency/job-meter.js'
import type { LegRange, SpooledLeg } from '../../../src/media/index.js'
import { FRAME_BYTES, STEP_MS, STEP_SAMPLES } from '../../../src/model/pcm.js'
import { deltasDue, deltasTotal } from '../../../src/model/step-law.js'
import { CheckpointWriter } from '../../../src/pipeline/checkpoint/checkpoint-writer.js'
import type { WorkPorts } from '../../../src/pipeline/index.js'
import type { CompletedLane } from '../../../src/pipeline/legs/completed-leg.js'
import { LaneProgress } from '../../../src/pipeline/legs/lane-progress.js'
import type { Transcription } from '../../../src/pipeline/transcription.js'
import type { SessionRequest, SessionResult } from '../../../src/realtime/run-session.js'
import { PackedRanges } from '../../../src/storage/documents/packed-ranges.js'
import { GroupAligner } from '../../../src/transcript/words/align.js'
import { AdmissionBench, pausesEvery } from '../admission/admission-bench.js'
import { MODEL, planOf } from '../admission/plans.js'

/** Frames of every lane: 160 s with half a last frame, and a pause every 8 s. */
export const FRAMES = 2_000
const SAMPLES = FRAMES * STEP_SAMPLES - STEP_SAMPLES / 2
const PAUSE_FRAMES = 100
const WORD_FRAMES = 5

/** What goes wrong with a session. */
export interface Trouble {
  /** After so many frames of it. */
  afterFrames?: number
  /** It fails with this, or is closed for the good of the others. */
  fails?: Error | 'freed'
  /** Frames of the recording from which on it hears no words. */
  deafFrom?: number
  /** It takes so many samples fewer than it was sent. */
  missing?: number
}

/** A session as it was asked for. */
export interface AskedSession {
  /** Of its lane. */
  fromFrame: number
  request: SessionRequest
}

/** One engine with its ledger, and lanes that are carried by sessions which do as they are told. */
export class CarryBench {
  readonly admission = new AdmissionBench({ gpu: planOf({ ceilingFrames: 700 }) })
  readonly cuts: readonly CutOption[] = pausesEvery(FRAMES, PAUSE_FRAMES)
  readonly sessions: AskedSession[] = []
  readonly suspects: unknown[] = []
  readonly notes: object[] = []
  readonly lags: (number | null)[] = []
  readonly tally = { rotations: 0, reconnects: 0, redoneMs: 0 }
  /** Stretches that were decoded, by their first frame. */
  readonly decoded: number[] = []
  outage: string | null = null
  isJobStoreAway = false
  /** By the number of a session, in the order in which they open. */
  trouble: Readonly<Record<number, Trouble>> = {}
  private readonly activities = new SessionTracker(MODEL)
  private readonly client

  constructor() {
    const { gpu } = this.admission.worker('one').clients
    if (gpu === undefined) throw new Error('The bench has an engine.')
    this.client = gpu
  }

  get clock() {
    return this.admission.clock
  }

  chain(lane = 0, pace = 1): LaneChain {
    return this.admission.chain(this.client, { chainId: `job/${lane}`, cuts: this.cuts, pace })
  }

  progress(channel: number | null = null, legs: CompletedLane['legs'] = []): LaneProgress {
    return new LaneProgress({ channel, legs }, 0)
  }

  work(signal: AbortSignal, pace: number | 'max' = 1): Transcription {
    const { tally } = this
    const meter = new JobMeter({
      rotated: () => {
        tally.rotations += 1
      },
      reconnected: () => {
        tally.reconnects += 1
      },
      redone: (audioMs) => {
        tally.redoneMs += audioMs
      },
    })
    const speech = { segments_ms: new PackedRanges([[0, FRAMES * STEP_MS]]) }
    const lanes = [
      { channel: null, speech },
      { channel: null, speech },
    ]
    const analysis = { samples: SAMPLES, duration_ms: SAMPLES / 16, lanes }
    const owned = { isOwned: async () => true, assertOwned: async () => {} }
    const attempt = { jobId: 'j', number: 1, signal, ...owned }
    const job = { name: 'a.wav', options: { pace } }
    return { attempt, attemptNumber: 3, fence: 3, job, analysis, meter } as unknown as Transcription
  }

  ports(): WorkPorts {
    const { clock } = this
    const away = () => Promise.reject(new UpstreamError('queue_unavailable', 'Away.'))
    const description = { model: 'm', version: '1', isStandin: true, deltaDelayMs: 100 }
    const jobStore = {
      update: async () => (this.isJobStoreAway ? await away() : undefined),
      publish: async () => (this.isJobStoreAway ? await away() : undefined),
      appendHistory: async (_: string, entry: object) => {
        if (this.isJobStoreAway) await away()
        this.notes.push(entry)
      },
    }
    return {
      clock,
      store: { head: async (key: string) => ({ key, bytes: 1, etag: 'e' }) },
      media: { openLeg: async (_: unknown, range: LegRange) => this.decode(range) },
      jobStore,
      jobView: jobStore,
      engines: {
        engine: () => ({ address: { url: 'ws://gpu:1/v1/realtime', key: null }, description }),
        session: ({ chainId }: LegLease) => {
          const activity = this.activities.open(chainId, clock.monotonicMs())
          const deltaReceived = (_: number, lagMs: number | null) => void this.lags.push(lagMs)
          return { ...activity, deltaReceived }
        },
        isSilent: () => false,
        suspect: (_: string, error: unknown) => void this.suspects.push(error),
        outage: () => this.outage,
      },
      random: { uniform: () => 0 },
      runSession: (request: SessionRequest, { signal }: { signal: AbortSignal }) => {
        return this.runSession(request, signal)
      },
      limits: {
        session: { deltaDelayMs: 20, blankSpeechMaxMs: 8_000 },
        ...{ lagMaxMs: 4_000, backoffMs: 5_000, backoffMaxMs: 300_000 },
      },
    } as unknown as WorkPorts
  }

  /** Writes nothing: what is written is another test's. */
  writer(
    lanes: readonly LaneProgress[],
    assertOwned: () => Promise<void> = async () => {},
  ): CheckpointWriter {
    const store = { put: async () => ({ kind: 'exists' }), delete: async () => {} }
    const told = { onWritten: () => {}, onFailed: () => {} }
    return new CheckpointWriter(
      { store, clock: this.clock, ...told } as never,
      { attempt: { jobId: 'j', assertOwned }, fence: 3, lanes, resumedFromMs: [] } as never,
    )
  }

  private decode(range: LegRange): SpooledLeg {
    const samples = range.endSample - range.startSample
    this.decoded.push(range.startSample / STEP_SAMPLES)
    return {
      samples,
      frameCount: Math.ceil(samples / STEP_SAMPLES),
      frames: () => Promise.reject(new Error('Lanes are read frame by frame.')) as never,
      readFrame: async (index) => {
        return new Uint8Array(Math.min(FRAME_BYTES, 2 * samples - index * FRAME_BYTES))
      },
      [Symbol.asyncDispose]: async () => {},
    }
  }

  /** A session that writes every word on the step on which it is said. */
  private async runSession(request: SessionRequest, signal: AbortSignal): Promise<SessionResult> {
    const { clock } = this
    const { audio, permission, leg, legStartMs, meter } = request
    const fromFrame = legStartMs / STEP_MS
    const trouble = this.trouble[this.sessions.length] ?? {}
    this.sessions.push({ fromFrame, request })
    const heard = new Heard(request, { fromFrame, deafFrom: trouble.deafFrom ?? FRAMES })
    const frameMs = request.pace === 'max' ? 0 : STEP_MS
    const startMs = permission?.startMs ?? 0
    let [index, samples] = [0, 0]
    meter.connected(5)
    for await (const frame of audio.frames({ signal })) {
      await clock.sleepUntil(startMs + index * frameMs, { signal })
      await permission?.permit(index, clock.monotonicMs(), { signal })
      if (trouble.afterFrames === index) await this.strike(trouble, leg, signal)
      meter.frameSent(clock.monotonicMs(), 0)
      index += 1
      samples += frame.byteLength / 2
      heard.until(deltasDue(samples), samples, clock.monotonicMs())
    }
    await sleepFor(clock, 300, { signal })
    const deltas = deltasTotal(samples)
    heard.until(deltas, samples, clock.monotonicMs())
    const rest = { deltas, blankDeltas: 0, usage: null, verified: true, groups: heard.end() }
    return { samples: samples - (trouble.missing ?? 0), ...rest }
  }

  private async strike({ fails }: Trouble, leg: number, signal: AbortSignal): Promise<void> {
    if (fails !== 'freed') throw fails ?? new Error(`Leg ${leg} is told to fail, not how.`)
    this.activities.evict('job/0')
    await this.clock.sleepUntil(Number.POSITIVE_INFINITY, { signal })
  }
}

/** What a session writes. */
class Heard {
  private deltas = 0
  private readonly groups: SessionResult['groups'] = []
  private readonly aligner: GroupAligner
  private readonly request: SessionRequest
  private readonly place: { fromFrame: number; deafFrom: number }

  constructor(request: SessionRequest, place: { fromFrame: number; deafFrom: number }) {
    const { leg, legStartMs } = request
    this.request = request
    this.place = place
    this.aligner = new GroupAligner({ leg, legStartMs, stepMs: STEP_MS })
  }

  until(deltas: number, samples: number, nowMs: number): void {
    const { request, aligner, place } = this
    for (; this.deltas < deltas; this.deltas += 1) {
      const frame = place.fromFrame + this.deltas
      const isSent = this.deltas * STEP_SAMPLES < samples
      const isWord = isSent && frame % WORD_FRAMES === 0 && frame < place.deafFrom
      const delta = isWord ? wordAt(frame) : ''
      request.meter.deltaReceived(nowMs, 0, isWord)
      this.take(aligner.push(delta))
      const answeredMs = Math.min(samples / 16, (this.deltas + 1) * STEP_MS)
      const progress = { deltas: this.deltas + 1, answeredMs, isExact: true }
      request.onProgress({ ...progress, writing: () => aligner.writing() })
    }
  }

  end(): SessionResult['groups'] {
    this.take(this.aligner.flush())
    return this.groups
  }

  private take(group: SessionResult['groups'][number] | null): void {
    if (group === null) return
    this.groups.push(group)
    this.request.onGroup(group)
  }
}

const wordAt = (frame: number) => ` w${frame}`

/** All that is said in a lane, but for these frames. */
export function allWords(deaf: readonly [number, number] = [0, 0]): string[] {
  const frames = Array.from({ length: FRAMES / WORD_FRAMES }, (_, at) => at * WORD_FRAMES)
  return frames.filter((frame) => frame < deaf[0] || frame >= deaf[1]).map(wordAt)
}

/** All that stands in a lane. */
export function wordsOf({ legs }: CompletedLane): string[] {
  return legs.flatMap(({ groups }) => groups.map(({ text }) => text))
}
