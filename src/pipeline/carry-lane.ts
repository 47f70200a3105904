import assert from 'node:assert/strict'
import { carryChain, type RetryAfter } from '../admission/carry-chain.js'
import type { LaneChain } from '../admission/lane-chain.js'
import { lanesCarried } from '../admission/ledger-changes.js'
import type { LegLease } from '../admission/leg-lease.js'
import type { PlannedStretch } from '../admission/leg-planner.js'
import { SESSION_FREED, type SessionPulse } from '../admission/session-pulses.js'
import { NightscribeError } from '../kernel/errors.js'
import { type LaneFrames, openLane, STEP_BACK_FRAMES } from '../media/lane-reader.js'
import { STEP_MS, STEP_SAMPLES, samplesToMs } from '../media/pcm.js'
import { speechLookup } from '../media/speech-lookup.js'
import type { SessionAudio } from '../realtime/index.js'
import type { SessionMeter, SessionResult } from '../realtime/run-session.js'
import type { ObjectHead } from '../storage/index.js'
import type { KnownEngine, WorkPorts } from './index.js'
import { LaneOrder, type LegTurn } from './lane-order.js'
import type { LiveReport } from './live-report.js'
import { storedMedia } from './stored-media.js'
import type { Transcription } from './transcription.js'

/** One leg that is complete, and what came back for it. */
export interface CarriedLegResult {
  stretch: PlannedStretch
  engine: KnownEngine
  result: SessionResult
  /** The most that its lease allowed, and that it held by the law. */
  kvBlocks: { granted: number; held: number }
  /** From the lease to its end. */
  heldMs: number
  /** Lanes on its engine when it ended. */
  lanesRunning: number
}

/** What came back for one lane. */
export interface CarriedLane {
  /** 0-based channel; null for the mix. */
  channel: number | null
  /** In order. */
  legs: CarriedLegResult[]
}

/** One lane of a job that was let in. */
export interface LaneRequest {
  work: Transcription
  /** The decoded audio of the job. */
  flac: ObjectHead
  /** 0-based; also the channel in the FLAC. */
  lane: number
  chain: LaneChain
  live: LiveReport
}

/** Tries of one leg before the whole attempt fails. */
const LEG_TRIES_MAX = 5
/** A session that was closed to free its engine comes back after so long, or when there is room. */
const FREED_WAIT_MS = 30_000

/**
 * Replays one lane leg by leg. A leg whose session breaks is carried again from its beginning, on
 * whatever engine is well. @throws what a leg fails with for the last time; the signal's reason
 */
export async function carryLane(
  ports: WorkPorts,
  request: LaneRequest,
  signal: AbortSignal,
): Promise<CarriedLane> {
  const { work, lane, chain } = request
  const { channel = null } = work.analysis.lanes[lane] ?? {}
  const legs: CarriedLegResult[] = []
  const replay = new LaneReplay(ports, request, signal)
  try {
    await carryChain<Omit<CarriedLegResult, 'stretch' | 'engine'>>(chain, {
      runLeg: (lease, options) => replay.runLeg(lease, options),
      onFailure: (error, { fromFrame, failures }) => replay.failed(error, fromFrame, failures),
      onLeg: ({ stretch, engine, result }) => {
        if (legs.length > 0) work.meter.rotated()
        legs.push({ stretch, engine: ports.engines.engine(engine), ...result })
      },
      signal,
    })
  } finally {
    await replay[Symbol.asyncDispose]()
  }
  return { channel, legs }
}

/** The audio of a lane, and its sessions. One reader serves both legs of a change-over. */
class LaneReplay implements AsyncDisposable {
  private readonly ports: WorkPorts
  private readonly request: LaneRequest
  private readonly signal: AbortSignal
  private frames: LaneFrames | null = null
  private readonly order = new LaneOrder()
  /** The furthest frame that was read: the reader doesn't go far back. */
  private readFrame = 0
  /** A leg that came back blank over speech: the next time it is taken as it comes. */
  private blankFrame: number | null = null

  constructor(ports: WorkPorts, request: LaneRequest, signal: AbortSignal) {
    this.ports = ports
    this.request = request
    this.signal = signal
  }

  async runLeg(
    lease: LegLease,
    { signal }: { signal: AbortSignal },
  ): Promise<Omit<CarriedLegResult, 'stretch' | 'engine'>> {
    const { clock } = this.ports
    const leasedMs = clock.monotonicMs()
    const result = await this.runInTurn(lease, signal)
    // Audio that a plan counts as sent and nobody sent would be missing without a trace.
    assert.equal(result.samples, this.samplesOf(lease.planned), 'a leg ends where it was sent to')
    return {
      result,
      kvBlocks: lease.kvBlocks(result.deltas),
      heldMs: clock.monotonicMs() - leasedMs,
      lanesRunning: lanesCarried(lease.desk.ledger),
    }
  }

  private async runInTurn(lease: LegLease, signal: AbortSignal): Promise<SessionResult> {
    // Taken before anything is waited for, so that the leg after it can't come before it.
    const turn = this.order.enter(lease.fromFrame)
    try {
      const frames = await this.framesFrom(lease.fromFrame, signal)
      return await this.runSession(lease, this.audioOf(lease, { frames, turn }), signal)
    } finally {
      turn.leave()
    }
  }

  private async runSession(
    lease: LegLease,
    audio: SessionAudio,
    signal: AbortSignal,
  ): Promise<SessionResult> {
    const { ports, request } = this
    const { work, lane, live } = request
    const { analysis, job } = work
    const { channel = null, speech } = analysis.lanes[lane] ?? {}
    const engine = ports.engines.engine(lease.desk.engine)
    const { session, lagMaxMs } = ports.limits
    const legStartMs = lease.fromFrame * STEP_MS
    const heard = speechLookup(speech?.segments_ms ?? [])
    const audioMs = samplesToMs(analysis.samples)
    const pulse = ports.engines.session(lease)
    try {
      return await ports.runSession(
        {
          engine: engine.address,
          model: engine.description.model,
          audio,
          pace: job.options.pace,
          permission: lease,
          isExcused: () => ports.engines.isSilent(lease.desk.engine),
          leg: lease.index,
          legStartMs,
          limits: {
            ...session,
            deltaDelayMs: session.deltaDelayMs + engine.description.deltaDelayMs,
            // A rut costs one try; where it comes again, text with a hole is worth more than none.
            blankSpeechMaxMs: this.blankFrame === lease.fromFrame ? null : session.blankSpeechMaxMs,
          },
          lagMaxMs,
          speechAt: (offsetMs) => heard(legStartMs + offsetMs),
          meter: this.meterOf(pulse),
          onGroup: (group) => live.text(channel, group),
          onProgress: (doneMs) => live.progress(lane, Math.min(legStartMs + doneMs, audioMs)),
        },
        { signal: AbortSignal.any([signal, pulse.freed]) },
      )
    } finally {
      pulse.ended(ports.clock.monotonicMs())
    }
  }

  /** @returns when the leg is carried again. @throws to give up */
  failed(error: unknown, fromFrame: number, failures: number): RetryAfter {
    const { ports, request } = this
    if (error === SESSION_FREED) return { delayMs: FREED_WAIT_MS, orFewerLeases: true }
    const mayHelp = error instanceof NightscribeError && error.retryable
    if (!mayHelp || failures >= LEG_TRIES_MAX) throw error
    request.work.meter.reconnected()
    if (error.code === 'session_stalled') this.blankFrame = fromFrame
    ports.engines.suspect(request.chain.engine)
    const { backoffMs, backoffMaxMs } = ports.limits
    const longestMs = Math.min(backoffMaxMs, backoffMs * 2 ** (failures - 1))
    // By chance, so that a hundred sessions of an engine that died don't return in one instant.
    const delayMs = longestMs * (0.5 + ports.random.uniform() / 2)
    return { delayMs, orFewerLeases: false }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.frames?.[Symbol.asyncDispose]()
  }

  private samplesOf({ fromFrame, endFrame }: PlannedStretch): number {
    const { samples } = this.request.work.analysis
    return Math.min(endFrame * STEP_SAMPLES, samples) - fromFrame * STEP_SAMPLES
  }

  /** Opened with the first lease only: a lane that waits for a session takes no spool room. */
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
    // It is decoded first: a session that is open meanwhile would begin late, and with a burst.
    await frames.frame(frame, { signal: legSignal })
    return frames
  }

  private audioOf(
    lease: LegLease,
    { frames, turn }: { frames: LaneFrames; turn: LegTurn },
  ): SessionAudio {
    const read = async (index: number, options: { signal: AbortSignal }) => {
      await turn.reach(index, options)
      this.readFrame = Math.max(this.readFrame, index)
      return await frames.frame(index, options)
    }
    return {
      async *frames(options) {
        // The end may be moved while the leg runs, so it is looked at before every frame.
        for (let index = 0; index < lease.frames; index += 1) {
          yield await read(lease.fromFrame + index, options)
        }
        turn.leave()
      },
    }
  }

  /** The first frame of the first lane makes the job a running one. */
  private meterOf(pulse: SessionPulse): SessionMeter {
    const { ports, request } = this
    const { attempt, meter, job } = request.work
    const marks = meter.session()
    // Without a pace the sender is as far ahead of the engine as it may be.
    const isPaced = job.options.pace !== 'max'
    return {
      ...marks,
      connected: (durationMs) => {
        marks.connected(durationMs)
        // A view: the transcription doesn't wait for it, and must not fail with it.
        ports.board.update(attempt.jobId, { status: 'running' }).catch(() => {})
      },
      frameSent: (nowMs, slipMs) => {
        marks.frameSent(nowMs, slipMs)
        pulse.frameSent(nowMs)
      },
      deltaReceived: (nowMs, lagMs, hasText) => {
        marks.deltaReceived(nowMs, lagMs, hasText)
        pulse.deltaReceived(nowMs, isPaced ? lagMs : null)
      },
    }
  }
}
