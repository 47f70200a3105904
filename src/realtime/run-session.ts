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

/** How often the watchdogs look at the clock. */
const WATCH_INTERVAL_MS = 250
/** A session that opens later than its first frame was due by more doesn't catch up the rest. */
const LATE_START_MAX_MS = 240
/** Why the loops stop when all is well. */
const SESSION_DONE = new StopRequested('canceled', 'The session is complete.')
const SILENT_FRAME = encodeAppend(new Uint8Array(FRAME_BYTES))
/** Bytes in the socket's own buffer above which the sender waits: 25 s of audio. */
const BUFFERED_BYTES_MAX = 2 ** 20

/** Where a running session reports what it measures; called often, must not throw or wait. */
export interface SessionMeter {
  /** The socket is open and the server has greeted. */
  connected(durationMs: number): void
  /** A frame left; `slipMs` after it was due. */
  frameSent(nowMs: number, slipMs: number): void
  /** A delta came; `lagMs` is how far the engine is behind the audio it has. */
  deltaReceived(nowMs: number, lagMs: number, hasText: boolean): void
  /** The sender was held back because the engine is behind; for so long. */
  held(durationMs: number): void
  /** `transcription.done` came. */
  finished(nowMs: number): void
}

/** One leg to be carried by one session. */
export interface SessionRequest {
  engine: EngineAddress
  model: string
  audio: SessionAudio
  pace: Pace
  /** Null: the first frame is due when the session is open, and nobody is asked. */
  permission: SendPermission | null
  /** True while the whole engine is silent: then its keeper decides, not the session. */
  isExcused(): boolean
  /** 0-based index of the leg in its lane. */
  leg: number
  /** Where the leg starts in the recording. */
  legStartMs: number
  limits: SessionLimits
  /** The end of the text may be missing, and is then taken for what it is: `verified` is false. */
  mayEndShort: boolean
  /** Lag at which the sender waits for the engine; `limits.deltaDelayMs` is added. */
  lagMaxMs: number
  speechAt: SpeechAt
  meter: SessionMeter
  /** Text as it becomes known, in order. */
  onGroup(group: WordGroup): void
  /** After every delta; always the same object. */
  onProgress(progress: SessionProgress): void
}

/** How far a session has come. */
export interface SessionProgress {
  /** Deltas received, empty ones included. */
  readonly deltas: number
  /** Audio that the engine has answered, in the leg. */
  readonly answeredMs: number
  /** No more deltas came than the audio allows, save by an abort: so far the times are exact. */
  readonly isExact: boolean
  /** The run of text that is being written; null between two. */
  writing(): WordGroup | null
}

/** What a session gave, once it ended as it should. */
export interface SessionResult {
  samples: number
  deltas: number
  blankDeltas: number
  usage: Usage | null
  /** Deltas, usage and the law of steps agree: then the times are exact. */
  verified: boolean
  groups: WordGroup[]
}

/** Carries one leg through one session. */
export type SessionRunner = (
  request: SessionRequest,
  options: { signal: AbortSignal },
) => Promise<SessionResult>

/**
 * @returns a runner that opens a socket per leg and closes it in any case. It remembers which
 *   engines don't pad what they are sent, and pads it for them.
 *   It throws UpstreamError or ProtocolError when the session can't be completed: the leg must then
 *   be carried again by another session. An abort rejects with the signal's reason.
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
  /** Beats whenever the machine has taken something in. */
  private readonly changed = new Condition()
  /** Aborted with the reason when the session is over, be it with SESSION_DONE. */
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

  /** Three loops over one socket. All have ended, and the socket with them, when this returns. */
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

  /** Also from a session that failed by it. */
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

  /** At once: it takes no block that the last frame of the audio didn't ask for. */
  private sendPadding(transport: Transport): void {
    for (let samples = 0; samples < PAD_SAMPLES; samples += STEP_SAMPLES) {
      transport.send(SILENT_FRAME)
    }
  }

  /** On its own schedule, unless the session came so late that the burst would be too long. */
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

  /** Batch never drops audio: while the engine is too far behind, the sender stands still. */
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
    if (nowMs - startMs < 1) return // nothing was waited for
    schedule.hold(index, nowMs)
    if (request.pace !== 'max') request.meter.held(nowMs - startMs)
  }

  private async watch(): Promise<void> {
    while (!this.stop.signal.aborted) {
      const dueMs = this.clock.monotonicMs() + WATCH_INTERVAL_MS
      await this.clock.sleepUntil(dueMs, { signal: this.stop.signal })
      if (this.request.isExcused()) this.machine.excuse(this.clock.monotonicMs())
      // Judged by when this look was due: a process that stands still doesn't hear its engine.
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
