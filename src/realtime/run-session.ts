import { type Clock, sleepFor } from '../kernel/clock.js'
import { Condition } from '../kernel/condition.js'
import { ProtocolError, StopRequested } from '../kernel/errors.js'
import { type Pace, ReplaySchedule } from '../media/replay-schedule.js'
import { FRAME_BYTES, SAMPLE_BYTES, STEP_MS, STEP_SAMPLES, samplesToMs } from '../model/pcm.js'
import { lagMs } from '../model/step-law.js'
import { GroupAligner, type WordGroup } from '../transcript/words/align.js'
import { EnginePadding, PAD_SAMPLES } from './engine-padding.js'
import type {
  EngineAddress,
  SendPermission,
  SessionAudio,
  Transport,
  TransportOpener,
} from './index.js'
import { type SessionLimits, SessionMachine, type SpeechAt } from './session-machine.js'
import {
  encodeAppend,
  encodeCommit,
  encodeUpdate,
  parseServerEvent,
  type ServerEvent,
  type Usage,
} from './wire-codec.js'

/** How often, in ms, the watchdogs compare the clock with their bounds. */
const WATCH_INTERVAL_MS = 250
/** Most, in ms, that a session which opened late may catch up; a later one shifts its schedule. */
const LATE_START_MAX_MS = 240
/** Reason that stops the loops of a session that is complete. */
const SESSION_DONE = new StopRequested('canceled', 'The session is complete.')
const SILENT_FRAME = encodeAppend(new Uint8Array(FRAME_BYTES))
/** Bytes in the socket's send buffer above which the sender waits: 25 s of audio. */
const BUFFERED_BYTES_MAX = 2 ** 20

/** Receives what a running session measures. Called for every frame: must not throw or wait. */
export interface SessionMeter {
  /** The socket is open and the server has sent `session.created`. */
  connected(durationMs: number): void
  /** A frame was sent `slipMs` after it was due. */
  frameSent(nowMs: number, slipMs: number): void
  /** A delta came; `lagMs` is how far the engine's text is behind the audio sent. */
  deltaReceived(nowMs: number, lagMs: number, hasText: boolean): void
  /** The sender waited `durationMs` because the engine was behind. */
  held(durationMs: number): void
  /** `transcription.done` came. */
  finished(nowMs: number): void
}

/** One leg to be transcribed by one session. */
export interface SessionRequest {
  engine: EngineAddress
  model: string
  audio: SessionAudio
  pace: Pace
  /**
   * Null: the first frame is due when the session is open, and no permission is asked for frames.
   */
  permission: SendPermission | null
  /**
   * True while the whole engine is silent: its controller decides then, and the session doesn't
   * fail.
   */
  isExcused(): boolean
  /** 0-based index of the leg in its lane. */
  leg: number
  /** Where the leg starts in the recording, in ms. */
  legStartMs: number
  limits: SessionLimits
  /** True: accepts a session whose last text may be missing; its result has `verified` false. */
  mayEndShort: boolean
  /** Lag, in ms, at which the sender waits for the engine; `limits.deltaDelayMs` is added. */
  lagMaxMs: number
  speechAt: SpeechAt
  meter: SessionMeter
  /** Called with each group of words when it is complete, in order. */
  onGroup(group: WordGroup): void
  /** Called after every delta, always with the same object. */
  onProgress(progress: SessionProgress): void
}

/** How far a session has come. */
export interface SessionProgress {
  /** Deltas received, empty ones included. */
  readonly deltas: number
  /** Audio of the leg, in ms, that the engine has answered. */
  readonly answeredMs: number
  /**
   * True while word times are exact: no more deltas came than the audio allows, except the last
   * ones of an engine that aborted the request.
   */
  readonly isExact: boolean
  /** The group of words that is not complete yet; null between two groups. */
  writing(): WordGroup | null
}

/** What a session returned that ended in order. */
export interface SessionResult {
  samples: number
  deltas: number
  blankDeltas: number
  usage: Usage | null
  /**
   * True when delta count, the server's usage and the law of steps agree: word times are exact
   * then.
   */
  verified: boolean
  groups: WordGroup[]
}

/** Runs one leg through one session. */
export type SessionRunner = (
  request: SessionRequest,
  options: { signal: AbortSignal },
) => Promise<SessionResult>

/**
 * Makes a runner that opens one socket per leg and closes it in any case. The runner remembers
 * which engines don't pad the end of audio, and pads it for them.
 * @returns a runner that throws UpstreamError or ProtocolError when the session can't be completed:
 * another session must then replay the leg. An abort rejects with the signal's reason.
 */
export function sessionRunner(dependencies: {
  opener: TransportOpener
  clock: Clock
}): SessionRunner {
  const { clock } = dependencies
  const padding = new EnginePadding()
  return async (request, { signal }) => {
    const running = new RunningSession(request, { clock, padding })
    return await running.run(dependencies.opener, signal)
  }
}

class RunningSession {
  private readonly machine: SessionMachine
  private readonly aligner: GroupAligner
  private readonly groups: WordGroup[] = []
  /** Notified whenever the machine has taken an event in. */
  private readonly changed = new Condition()
  /** Aborted when the session is over: with its failure, or with SESSION_DONE. */
  private readonly stop = new AbortController()
  private readonly openedMs: number
  private readonly request: SessionRequest
  private readonly clock: Clock
  private readonly padding: EnginePadding
  private readonly progress: SessionProgress

  constructor(request: SessionRequest, parts: { clock: Clock; padding: EnginePadding }) {
    const { clock, padding } = parts
    this.request = request
    this.clock = clock
    this.padding = padding
    this.openedMs = clock.monotonicMs()
    this.machine = new SessionMachine(request.limits, request.speechAt, this.openedMs)
    const { leg, legStartMs } = request
    this.aligner = new GroupAligner({ leg, legStartMs, stepMs: STEP_MS })
    this.progress = progressOf(this.machine, this.aligner)
  }

  async run(opener: TransportOpener, signal: AbortSignal): Promise<SessionResult> {
    signal.throwIfAborted()
    const onAbort = () => this.end(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      const transport = await opener.open(this.request.engine, { signal: this.stop.signal })
      await this.converse(transport)
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
    if (this.stop.signal.reason !== SESSION_DONE) throw this.stop.signal.reason
    const { deltas, blankDeltas, usage, verified, samplesSent: samples } = this.machine
    return { samples, deltas, blankDeltas, usage, verified, groups: this.groups }
  }

  /** Runs three loops over one socket. When this returns, all three and the socket are closed. */
  private async converse(transport: Transport): Promise<void> {
    const closeSocket = () => {
      if (this.machine.state === 'done') transport.close()
      else transport.destroy()
    }
    this.stop.signal.addEventListener('abort', closeSocket, { once: true })
    if (this.stop.signal.aborted) closeSocket()
    const loops = [this.receive(transport), this.send(transport), this.watch()]
    await Promise.all(loops.map((loop) => loop.catch((error) => this.end(error))))
  }

  private end(reason: unknown): void {
    if (!this.stop.signal.aborted) this.stop.abort(reason)
  }

  private async receive(transport: Transport): Promise<void> {
    const { machine, request } = this
    for await (const event of transport.events()) {
      const nowMs = this.clock.monotonicMs()
      if (event.kind === 'binary') throw binaryFrame(event.bytes)
      if (event.kind === 'closed') machine.closed(event.code, event.reason)
      else this.take(parseServerEvent(event.text), nowMs)
      if (machine.failure) this.end(machine.failure)
      if (machine.state === 'done') {
        this.addGroup(this.aligner.flush())
        request.meter.finished(nowMs)
        this.end(SESSION_DONE)
      }
      this.changed.notifyAll()
      if (machine.over) break
    }
    this.learnTail()
  }

  /**
   * Learns about padding also from a failed session: its failure may be the missing padding itself.
   */
  private learnTail(): void {
    const { tail } = this.machine
    if (tail !== null) this.padding.learn(this.request.engine.url, tail)
  }

  private take(event: ServerEvent, nowMs: number): void {
    const { machine, request } = this
    const greeted = machine.state !== 'connecting'
    machine.received(event, nowMs)
    if (!greeted && machine.state === 'created') request.meter.connected(nowMs - this.openedMs)
    if (event.kind !== 'delta' || machine.failure) return
    const sentMs = samplesToMs(machine.samplesSent)
    request.meter.deltaReceived(nowMs, lagMs(sentMs, machine.deltas), event.text !== '')
    this.addGroup(this.aligner.push(event.text))
    request.onProgress(this.progress)
  }

  private addGroup(group: WordGroup | null): void {
    if (!group) return
    this.groups.push(group)
    this.request.onGroup(group)
  }

  private async send(transport: Transport): Promise<void> {
    const { machine, clock, request } = this
    const { signal } = this.stop
    while (machine.state === 'connecting') await this.changed.wait(signal)
    signal.throwIfAborted()
    transport.send(encodeUpdate(request.model))
    transport.send(encodeCommit(false))
    machine.started()
    const schedule = new ReplaySchedule(request.pace, this.firstFrameMs())
    let index = 0
    for await (const frame of request.audio.frames({ signal })) {
      await clock.sleepUntil(schedule.dueMs(index), { signal })
      await this.waitForEngine(transport, schedule, index)
      await this.waitForPermission(schedule, index)
      signal.throwIfAborted()
      const nowMs = clock.monotonicMs()
      transport.send(encodeAppend(frame))
      machine.appended(frame.byteLength / SAMPLE_BYTES, nowMs)
      request.meter.frameSent(nowMs, request.pace === 'max' ? 0 : nowMs - schedule.dueMs(index))
      index += 1
    }
    signal.throwIfAborted()
    const isPadded = this.padding.isMissing(request.engine.url)
    if (isPadded) this.sendPadding(transport)
    transport.send(encodeCommit(true))
    machine.finalSent(clock.monotonicMs(), { isPadded, mayBeShort: request.mayEndShort })
  }

  /**
   * Sends the padding at once, without pacing: it needs no KV block beyond that of the last frame.
   */
  private sendPadding(transport: Transport): void {
    for (let samples = 0; samples < PAD_SAMPLES; samples += STEP_SAMPLES) {
      transport.send(SILENT_FRAME)
    }
  }

  /**
   * When the first frame is due: as scheduled, but at most 240 ms ago. A session that opened later
   * would otherwise send a burst of overdue frames that the engine's step budget has no room for.
   */
  private firstFrameMs(): number {
    const nowMs = this.clock.monotonicMs()
    const { permission } = this.request
    return permission === null ? nowMs : Math.max(permission.startMs, nowMs - LATE_START_MAX_MS)
  }

  private async waitForPermission(schedule: ReplaySchedule, index: number): Promise<void> {
    const { request, clock } = this
    const { signal } = this.stop
    const asked = request.permission?.permit(index, clock.monotonicMs(), { signal })
    if (asked === undefined) return
    await asked
    schedule.hold(index, clock.monotonicMs())
  }

  /** Holds the sender while the engine's text lags too far behind. Batch never drops audio. */
  private async waitForEngine(
    transport: Transport,
    schedule: ReplaySchedule,
    index: number,
  ): Promise<void> {
    const { machine, clock, request } = this
    const { signal } = this.stop
    const lagMaxMs = request.lagMaxMs + request.limits.deltaDelayMs
    const startMs = clock.monotonicMs()
    const behind = () => lagMs(samplesToMs(machine.samplesSent), machine.deltas) > lagMaxMs
    while (behind()) await this.changed.wait(signal)
    while (transport.bufferedBytes > BUFFERED_BYTES_MAX) {
      await sleepFor(clock, WATCH_INTERVAL_MS, { signal })
    }
    const nowMs = clock.monotonicMs()
    if (nowMs - startMs < 1) return
    schedule.hold(index, nowMs)
    if (request.pace !== 'max') request.meter.held(nowMs - startMs)
  }

  private async watch(): Promise<void> {
    while (!this.stop.signal.aborted) {
      const dueMs = this.clock.monotonicMs() + WATCH_INTERVAL_MS
      await this.clock.sleepUntil(dueMs, { signal: this.stop.signal })
      if (this.request.isExcused()) this.machine.excuse(this.clock.monotonicMs())
      // Checks against the time this look was due, not against now: after a pause of the whole
      // process the engine's unread events would otherwise be taken for silence.
      this.machine.check(dueMs)
      if (this.machine.failure) this.end(this.machine.failure)
    }
  }
}

function binaryFrame(bytes: number): ProtocolError {
  return new ProtocolError(
    'engine_protocol',
    `The engine sent a binary frame of ${bytes} bytes; its events are text.`,
    { facts: { bytes } },
  )
}

function progressOf(machine: SessionMachine, aligner: GroupAligner): SessionProgress {
  return {
    get deltas() {
      return machine.deltas
    },
    get answeredMs() {
      return Math.min(samplesToMs(machine.samplesSent), machine.deltas * STEP_MS)
    },
    get isExact() {
      return machine.isExact
    },
    writing: () => aligner.writing(),
  }
}
