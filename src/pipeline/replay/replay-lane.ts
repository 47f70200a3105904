import assert from 'node:assert/strict'
import { SESSION_EVICTED, type SessionActivity } from '../../admission/engine/session-activity.js'
import type { LaneChain } from '../../admission/lane/lane-chain.js'
import type { LegLease } from '../../admission/lane/leg-lease.js'
import { type FailedLane, type RetryAfter, runLane } from '../../admission/lane/run-lane.js'
import { lanesRunning } from '../../admission/ledger/ledger-changes.js'
import type { CutOption } from '../../admission/legs/cut-option.js'
import { LaneCuts } from '../../admission/legs/lane-cuts.js'
import { eitherSignal } from '../../kernel/abort.js'
import { NightscribeError } from '../../kernel/errors.js'
import { type LaneFrames, openLane, STEP_BACK_FRAMES } from '../../media/spool/lane-reader.js'
import { speechLookup } from '../../media/vad/speech-lookup.js'
import { STEP_MS, STEP_SAMPLES, samplesToMs } from '../../model/pcm.js'
import type { SessionAudio } from '../../realtime/index.js'
import type { SessionMeter, SessionResult } from '../../realtime/run-session.js'
import { TextLeftOut } from '../../realtime/session-failure.js'
import type { AnalysisDocument } from '../../storage/documents/analysis-document.js'
import type { ObjectHead } from '../../storage/index.js'
import type { WorkPorts } from '../index.js'
import { storedMedia } from '../intake/stored-media.js'
import type { CompletedLeg } from '../legs/completed-leg.js'
import type { LaneProgress, RunningLegRecord } from '../legs/lane-progress.js'
import { LegRecord } from '../legs/leg-record.js'
import { recordBrokenSession, recordEviction } from '../lifecycle/attempt-history.js'
import type { Transcription } from '../transcription.js'
import { LaneOrder, type LegTurn } from './lane-order.js'
import { legRetryMs } from './leg-retry.js'
import type { LiveReport } from './live-report.js'

/** One lane of a job that was admitted. */
export interface LaneReplayRequest {
  work: Transcription
  /** The decoded audio of the job. */
  flac: ObjectHead
  /** 0-based; also the channel in the FLAC. */
  lane: number
  chain: LaneChain
  /** All cuts of the lane, the same that its chain has. */
  cuts: readonly CutOption[]
  /** Receives completed legs; has those of earlier attempts. */
  progress: LaneProgress
  live: LiveReport
  /** Called when text has come: after every delta, and after every leg. */
  onProgress(): void
}

/** Wait of an evicted lane for a new session, in ms, unless its engine has fewer leases before. */
const EVICTED_WAIT_MS = 30_000

/**
 * Replays one lane leg by leg, from where its progress ends. A leg whose session breaks is
 * continued from its last safe cut, on any healthy engine.
 * @throws the error of a leg's last try; the signal's reason
 */
export async function replayLane(
  ports: WorkPorts,
  request: LaneReplayRequest,
  signal: AbortSignal,
): Promise<void> {
  const { work, chain, progress } = request
  const replay = new LaneReplay(ports, request, signal)
  try {
    await runLane<CompletedLeg>(chain, {
      runLeg: (lease, options) => replay.runLeg(lease, options),
      onFailure: (error, failed) => replay.failed(error, failed),
      onLeg: ({ result }) => {
        if (progress.count > 0) work.meter.rotated()
        progress.add(result)
        request.onProgress()
      },
      signal,
    })
  } finally {
    await replay[Symbol.asyncDispose]()
  }
}

/** The audio of a lane, and its sessions. One reader serves both legs of a change-over. */
class LaneReplay implements AsyncDisposable {
  private readonly ports: WorkPorts
  private readonly request: LaneReplayRequest
  private readonly signal: AbortSignal
  private frames: LaneFrames | null = null
  private readonly order = new LaneOrder()
  /** The furthest frame that was read; the reader goes back `STEP_BACK_FRAMES` from it at most. */
  private readFrame = 0
  /** First frame of a leg that failed for a blank run: its next session may return blanks. */
  private acceptBlanksFrame: number | null = null
  private readonly laneCuts: LaneCuts
  /** What came back for each leg that runs or has failed. */
  private readonly records = new WeakMap<LegLease, RunningLegRecord>()

  constructor(ports: WorkPorts, request: LaneReplayRequest, signal: AbortSignal) {
    this.ports = ports
    this.request = request
    this.signal = signal
    this.laneCuts = new LaneCuts(request.cuts)
  }

  async runLeg(lease: LegLease, { signal }: { signal: AbortSignal }): Promise<CompletedLeg> {
    const { progress, cuts } = this.request
    const leasedMs = this.ports.clock.monotonicMs()
    const record = new LegRecord(lease.fromFrame, cuts)
    const running: RunningLegRecord = {
      record,
      part: (options = {}) => this.partOf(record, lease, leasedMs, options),
    }
    this.records.set(lease, running)
    progress.begin(running)
    const result = await this.runInOrder(lease, record, signal)
    // Audio that the plan counts as sent but that was not sent would be missing from the
    // transcript without a warning.
    const { fromFrame, endFrame, cut } = lease.planned
    const sent = this.samplesOf(fromFrame, endFrame)
    assert.equal(result.samples, sent, 'a leg ends where it was sent to')
    const { samples, deltas, verified, groups } = result
    const nextFrame = this.laneCuts.nextFrame(lease.planned)
    return {
      ...{ fromFrame, endFrame, nextFrame, cut, samples, deltas, verified, groups },
      ...this.factsOf(lease, { deltas, leasedMs }),
    }
  }

  /** The leg as it would be if it ended at its last safe cut; null where it has none. */
  private partOf(
    record: LegRecord,
    lease: LegLease,
    leasedMs: number,
    options: { hasText?: boolean },
  ): CompletedLeg | null {
    const part = record.part(options)
    if (part === null) return null
    const { cut, deltas, groups, isExact } = part
    const { endFrame, nextFrame, kind } = cut
    const { fromFrame } = record
    return {
      ...{ fromFrame, endFrame, nextFrame, cut: kind, deltas, groups, verified: isExact },
      samples: this.samplesOf(fromFrame, endFrame),
      ...this.factsOf(lease, { deltas, leasedMs }),
    }
  }

  private factsOf(lease: LegLease, { deltas, leasedMs }: { deltas: number; leasedMs: number }) {
    const { model, version, isStandin } = this.ports.engines.engine(lease.client.engine).description
    return {
      attempt: this.request.work.attemptNumber,
      engine: { model, version, isStandin },
      kvBlocks: lease.kvBlocks(deltas),
      heldMs: this.ports.clock.monotonicMs() - leasedMs,
      lanesRunning: lanesRunning(lease.client.ledger),
    }
  }

  private async runInOrder(
    lease: LegLease,
    record: LegRecord,
    signal: AbortSignal,
  ): Promise<SessionResult> {
    // Entered before the first await: the leg after this one must not get ahead of it.
    const position = this.order.enter(lease.fromFrame)
    try {
      const frames = await this.framesFrom(lease.fromFrame, signal)
      const audio = this.audioOf(lease, { frames, position })
      return await this.runSession(lease, { audio, record }, signal)
    } finally {
      position.leave()
    }
  }

  private async runSession(
    lease: LegLease,
    { audio, record }: { audio: SessionAudio; record: LegRecord },
    signal: AbortSignal,
  ): Promise<SessionResult> {
    const { ports, request } = this
    const { work, lane, live } = request
    const { analysis, job } = work
    const { channel, speech } = analysis.lanes[lane] as AnalysisDocument['lanes'][number]
    const engine = ports.engines.engine(lease.client.engine)
    const { session, lagMaxMs } = ports.limits
    const legStartMs = lease.fromFrame * STEP_MS
    const isSpeechAt = speechLookup(speech.segments_ms)
    const audioMs = samplesToMs(analysis.samples)
    // A leg that comes back blank is replayed once. If it is blank again the blanks are accepted:
    // a transcript with a hole is worth more than none.
    const acceptsBlanks = this.acceptBlanksFrame === lease.fromFrame
    const activity = ports.engines.session(lease)
    using either = eitherSignal(signal, activity.evicted)
    try {
      return await ports.runSession(
        {
          engine: engine.address,
          model: engine.description.model,
          audio,
          pace: job.options.pace,
          permission: lease,
          isExcused: () => ports.engines.isSilent(lease.client.engine),
          leg: lease.index,
          legStartMs,
          limits: {
            ...session,
            deltaDelayMs: session.deltaDelayMs + engine.description.deltaDelayMs,
            blankSpeechMaxMs: acceptsBlanks ? null : session.blankSpeechMaxMs,
          },
          mayEndShort: acceptsBlanks,
          lagMaxMs,
          speechAt: (offsetMs) => isSpeechAt(legStartMs + offsetMs),
          meter: this.meterOf(activity),
          onGroup: (group) => {
            record.wrote(group)
            live.text(channel, group)
          },
          onProgress: (progress) => {
            record.answered(progress)
            live.progress(lane, Math.min(legStartMs + progress.answeredMs, audioMs))
            request.onProgress()
          },
        },
        either,
      )
    } finally {
      activity.ended(ports.clock.monotonicMs())
    }
  }

  /**
   * Decides how a lane continues after a leg has failed.
   * @throws the error where another session can't help: the attempt is given up
   */
  failed(error: unknown, { lease, failures }: FailedLane): RetryAfter {
    const { ports, request } = this
    const fromFrame = this.keepPart(lease, error)
    request.work.meter.redone(Math.max(0, this.readFrame - fromFrame) * STEP_MS)
    const { attempt } = request.work
    const { jobId } = attempt
    const engine = ports.engines.engine(lease.client.engine)
    if (error === SESSION_EVICTED) {
      recordEviction(ports.jobView, jobId, engine, attempt)
      return { fromFrame, delayMs: EVICTED_WAIT_MS, orFewerLeases: true }
    }
    if (!(error instanceof NightscribeError)) throw error
    ports.engines.suspect(lease.client.engine, error)
    const lost = { failures, outage: ports.engines.outage() }
    const delayMs = legRetryMs(error, lost, ports.limits, () => ports.random.uniform())
    request.work.meter.reconnected()
    if (error instanceof TextLeftOut) this.acceptBlanksFrame = fromFrame
    recordBrokenSession(ports.jobView, jobId, { engine, code: error.code }, attempt)
    return { fromFrame, delayMs, orFewerLeases: false }
  }

  /** Keeps the safe text of a leg that failed. @returns the frame at which the lane continues */
  private keepPart(lease: LegLease, error: unknown): number {
    const { progress } = this.request
    // Every leg that ran has a record.
    const running = this.records.get(lease) as RunningLegRecord
    // A stalled session may have been ended for a blank run: nothing after its last text is kept.
    const part = running.part({ hasText: isStall(error) })
    progress.lost(running)
    if (part === null) return lease.fromFrame
    progress.add(part)
    return part.nextFrame
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.frames?.[Symbol.asyncDispose]()
  }

  private samplesOf(fromFrame: number, endFrame: number): number {
    const { samples } = this.request.work.analysis
    return Math.min(endFrame * STEP_SAMPLES, samples) - fromFrame * STEP_SAMPLES
  }

  /** Opens the reader with the first lease: a lane that waits for one takes no spool room. */
  private async framesFrom(frame: number, legSignal: AbortSignal): Promise<LaneFrames> {
    if (this.frames && frame >= this.readFrame - STEP_BACK_FRAMES) return this.frames
    await this.frames?.[Symbol.asyncDispose]()
    const { ports, request, signal } = this
    const { analysis, job } = request.work
    const flac = storedMedia(ports.store, request.flac, job.name)
    const audio = { reader: ports.media, flac, lane: request.lane, samples: analysis.samples }
    const frames = openLane(audio, { fromFrame: frame, signal })
    this.frames = frames
    this.readFrame = frame
    // The first frame is decoded before the session opens: otherwise its audio would begin late,
    // and with a burst.
    await frames.frame(frame, { signal: legSignal })
    return frames
  }

  private audioOf(
    lease: LegLease,
    { frames, position }: { frames: LaneFrames; position: LegTurn },
  ): SessionAudio {
    const read = async (index: number, options: { signal: AbortSignal }) => {
      await position.reach(index, options)
      this.readFrame = Math.max(this.readFrame, index)
      return await frames.frame(index, options)
    }
    return {
      async *frames(options) {
        // The end of a leg may move while it runs, so `lease.frames` is read before every frame.
        for (let index = 0; index < lease.frames; index += 1) {
          yield await read(lease.fromFrame + index, options)
        }
        position.leave()
      },
    }
  }

  /** The meter of one session. A session that connects sets the job's status to `running`. */
  private meterOf(activity: SessionActivity): SessionMeter {
    const { ports, request } = this
    const { attempt, meter, job } = request.work
    const marks = meter.session()
    // At pace `max` the sender is as far ahead of the engine as it may be: its lag says nothing.
    const isPaced = job.options.pace !== 'max'
    return {
      ...marks,
      connected: (durationMs) => {
        marks.connected(durationMs)
        activity.connected(ports.clock.monotonicMs())
        // Only shown to people: the transcription doesn't wait for Redis, and can't fail with it.
        ports.jobView.update(attempt.jobId, { status: 'running' }, attempt).catch(() => {})
      },
      frameSent: (nowMs, slipMs) => {
        marks.frameSent(nowMs, slipMs)
        activity.frameSent(nowMs)
      },
      deltaReceived: (nowMs, lagMs, hasText) => {
        marks.deltaReceived(nowMs, lagMs, hasText)
        activity.deltaReceived(nowMs, isPaced ? lagMs : null)
      },
    }
  }
}

function isStall(error: unknown): boolean {
  return error instanceof NightscribeError && error.code === 'session_stalled'
}
