import assert from 'node:assert/strict'
import { type NightscribeError as SessionFailure, UpstreamError } from '../kernel/errors.js'
import { STEP_MS } from '../model/pcm.js'
import { deltasDue, deltasTotal } from '../model/step-law.js'
import { isLawful, isShort, PAD_SAMPLES, type TailOrigin, tailOrigin } from './engine-padding.js'
import { failureOfErrorFrame, SessionClosed, TextLeftOut } from './session-failure.js'
import type { ServerEvent, Usage } from './wire-codec.js'

/**
 * One session with an engine, as a state machine without I/O.
 *
 * - `connecting`: the socket is being opened, or is open and nothing has come. Ends with
 *   `session.created` (→ created), or after `createdTimeoutMs` (→ failed).
 * - `created`: the server has greeted; nothing has been sent to it. Ends with `started`, when model
 *   and first commit were sent (→ generating).
 * - `generating`: audio goes out, deltas come in. Ends with `finalSent` (→ finishing). A `done`
 *   here is early: the server gave up on audio that was still to come (→ failed).
 * - `finishing`: the end of the audio was announced. Ends with `done` (→ done). A `done` that
 *   leaves audio unanswered fails; so does one without the end of the text, unless `mayBeShort` (→
 *   failed).
 * - `done`, `failed`: nothing changes any more; events that still arrive are ignored.
 *
 * Every state but the last two fails on an `error` event, on a close, and on the watchdogs of
 * `check`. The watchdogs count wall time while a delta is due, not audio sent: a sender that is
 * slowed by a lagging engine would otherwise keep them from firing.
 */
export type SessionState = 'connecting' | 'created' | 'generating' | 'finishing' | 'done' | 'failed'

/**
 * Most empty deltas at the end of a request that stand for no audio. vLLM sends them when it aborts
 * a request, for example at its shutdown. Seen on 0.32: one, and two where it lagged.
 */
const ABORT_DELTAS_MAX = 2

/** Bounds of the watchdogs, in ms. */
export interface SessionLimits {
  createdTimeoutMs: number
  /** Longest time without a delta while one is due. `deltaDelayMs` is added. */
  stallTimeoutMs: number
  /** Longest time without `done` after the last delta that was due. `deltaDelayMs` is added. */
  doneTimeoutMs: number
  /** Longest speech in a row answered by empty deltas only; null: not watched. */
  blankSpeechMaxMs: number | null
  /** How long the engine holds deltas back beyond the model's own delay. */
  deltaDelayMs: number
}

/** Says whether there is speech at a time of the session's audio, in ms from its start. */
export type SpeechAt = (offsetMs: number) => boolean

/** What is known of the end of a session when its final commit is sent. */
export interface SessionEnd {
  /** True when `PAD_SAMPLES` of silence were appended after the audio. */
  isPadded: boolean
  /** True when the last text may be missing: such a session ends well, but isn't verified. */
  mayBeShort: boolean
}

export type { SessionFailure }

/** The current state of a session; `SessionState` says which method is allowed when. */
export class SessionMachine {
  state: SessionState = 'connecting'
  /** Set in `failed`. */
  failure: SessionFailure | null = null
  /** Set in `done`. */
  usage: Usage | null = null
  deltas = 0
  blankDeltas = 0
  /** Samples of the leg, without the padding that we append. */
  samplesSent = 0
  /**
   * Who caused the last deltas; set by a `done` after the final commit, also when that `done` fails
   * the session.
   */
  tail: TailOrigin | null = null
  private readonly limits: SessionLimits
  private readonly speechAt: SpeechAt
  private readonly openedMs: number
  /** Since when, in ms, a delta has been due without any coming; null when none is due. */
  private dueSinceMs: number | null = null
  private completeSinceMs: number | null = null
  private blankSpeechMs = 0
  /** 1-based number of the last delta with text; 0 before any. */
  private lastTextDelta = 0
  /** 1-based number of the first delta beyond what the audio allowed; null when there is none. */
  private firstExcessDelta: number | null = null
  /** Null until the final commit was sent. */
  private end: SessionEnd | null = null

  constructor(limits: SessionLimits, speechAt: SpeechAt, nowMs: number) {
    this.limits = limits
    this.speechAt = speechAt
    this.openedMs = nowMs
  }

  /** Call when the model and the first commit have been sent. */
  started(): void {
    assert.equal(this.state, 'created', 'a session starts once, after session.created')
    this.state = 'generating'
  }

  /** Call when `samples` more samples were appended. */
  appended(samples: number, nowMs: number): void {
    if (this.over) return
    assert.equal(this.state, 'generating', 'audio goes only into a running generation')
    this.samplesSent += samples
    this.noteDue(nowMs)
  }

  /**
   * Call when the final commit was sent. It needs audio before it: a final commit without audio
   * makes vLLM answer the next utterance wrongly.
   */
  finalSent(nowMs: number, end: SessionEnd): void {
    if (this.over) return
    assert.equal(this.state, 'generating', 'one final commit, after the audio')
    assert.ok(this.samplesSent > 0, 'never commit without audio')
    this.state = 'finishing'
    this.end = end
    this.noteDue(nowMs)
  }

  /** Takes one event from the server. */
  received(event: ServerEvent, nowMs: number): void {
    if (this.over) return
    switch (event.kind) {
      case 'created':
        if (this.state === 'connecting') this.state = 'created'
        return
      case 'delta':
        this.takeDelta(event.text, nowMs)
        return
      case 'done':
        this.takeDone(event.usage)
        return
      case 'error':
        this.fail(failureOfErrorFrame(event.message, event.code, this.deltas))
        return
      case 'other':
        return // such as acknowledgements of newer servers
    }
  }

  /** Call when the socket has closed. */
  closed(code: number, reason: string): void {
    if (this.over) return
    const why = reason ? `${code}, ${reason}` : String(code)
    const sentence = `The engine closed the session before the transcript was complete (${why}).`
    const { state, deltas } = this
    this.fail(new SessionClosed(sentence, { closeCode: code, state, deltas }))
  }

  /** Fails the session when a watchdog's bound has passed. Call it several times a second. */
  check(nowMs: number): void {
    const { createdTimeoutMs, stallTimeoutMs, doneTimeoutMs, deltaDelayMs } = this.limits
    if (this.state === 'connecting' && nowMs - this.openedMs > createdTimeoutMs) {
      this.stalled(`The engine did not greet within ${createdTimeoutMs} ms of the connect.`)
      return
    }
    if (this.dueSinceMs !== null && nowMs - this.dueSinceMs > stallTimeoutMs + deltaDelayMs) {
      this.stalled(
        `The engine sent no delta for ${Math.round(nowMs - this.dueSinceMs)} ms although one was due.`,
      )
      return
    }
    const { completeSinceMs } = this
    if (completeSinceMs !== null && nowMs - completeSinceMs > doneTimeoutMs + deltaDelayMs) {
      this.stalled(`The engine sent every delta, but no end within ${doneTimeoutMs} ms.`)
    }
  }

  /**
   * Restarts the watchdogs at `nowMs`: silence of the whole engine must not fail this one session.
   */
  excuse(nowMs: number): void {
    if (this.dueSinceMs !== null) this.dueSinceMs = nowMs
    if (this.completeSinceMs !== null) this.completeSinceMs = nowMs
  }

  get over(): boolean {
    return this.state === 'done' || this.state === 'failed'
  }

  /** Deltas that the server must have sent by now, by the law of steps. */
  get deltasExpected(): number {
    return this.end ? deltasTotal(this.samplesSent) : deltasDue(this.samplesSent)
  }

  /**
   * True while word times are exact: deltas beyond what the audio allows came only at the end,
   * without text, and at most as many as an aborted request sends.
   */
  get isExact(): boolean {
    const { firstExcessDelta: excess, lastTextDelta, deltas } = this
    if (excess === null) return true
    return excess > lastTextDelta && deltas - excess < ABORT_DELTAS_MAX
  }

  /**
   * True when the count, the law of steps and the server's own usage agree: word times are exact
   * then.
   */
  get verified(): boolean {
    const { tail, usage, deltas } = this
    return tail !== null && isLawful(tail) && usage?.completionTokens === deltas
  }

  /** Fails the session for a reason outside it, for example a socket that could not be opened. */
  fail(failure: SessionFailure): void {
    if (this.over) return
    this.state = 'failed'
    this.failure = failure
    this.dueSinceMs = null
    this.completeSinceMs = null
  }

  /** Most deltas that the server can have sent by now, whether or not it pads the audio itself. */
  private get deltasMax(): number {
    return this.end?.isPadded ? deltasTotal(this.samplesSent + PAD_SAMPLES) : this.deltasExpected
  }

  private stalled(sentence: string): void {
    const { state, deltas, deltasExpected } = this
    this.fail(
      new UpstreamError('session_stalled', sentence, { facts: { state, deltas, deltasExpected } }),
    )
  }

  private takeDelta(text: string, nowMs: number): void {
    if (this.state !== 'generating' && this.state !== 'finishing') {
      this.fail(new UpstreamError('engine_protocol', 'The engine sent text before any audio.'))
      return
    }
    const offsetMs = this.deltas * STEP_MS
    this.deltas += 1
    this.dueSinceMs = null
    this.noteDue(nowMs)
    if (this.deltas > this.deltasMax) this.firstExcessDelta ??= this.deltas
    if (text !== '') {
      this.lastTextDelta = this.deltas
      this.blankSpeechMs = 0
      return
    }
    this.blankDeltas += 1
    if (this.speechAt(offsetMs)) this.blankSpeechMs += STEP_MS
    const { blankSpeechMaxMs } = this.limits
    if (blankSpeechMaxMs !== null && this.blankSpeechMs > blankSpeechMaxMs) {
      const { deltas } = this
      const sentence = `The engine gave no text for ${blankSpeechMaxMs} ms of speech.`
      this.fail(new TextLeftOut('speech', sentence, { deltas }))
    }
  }

  private takeDone(usage: Usage | null): void {
    const { state, end } = this
    if (state !== 'finishing' || end === null) {
      this.fail(
        new UpstreamError(
          'engine_protocol',
          'The engine ended the session while audio was still to come.',
          { facts: { deltas: this.deltas, samplesSent: this.samplesSent } },
        ),
      )
      return
    }
    const { deltas, samplesSent: samples, deltasExpected } = this
    const facts = { deltas, deltasExpected }
    this.tail = tailOrigin({ samples, isPadded: end.isPadded, deltas })
    if (deltas < deltasDue(samples)) {
      const sentence = 'The engine ended the session before it had answered all of its audio.'
      this.fail(new UpstreamError('engine_protocol', sentence, { facts }))
      return
    }
    if (isShort(this.tail) && !end.mayBeShort) {
      const sentence = 'The engine ended the session without the end of its text.'
      this.fail(new TextLeftOut('tail', sentence, facts))
      return
    }
    this.state = 'done'
    this.usage = usage
    this.dueSinceMs = null
    this.completeSinceMs = null
  }

  private noteDue(nowMs: number): void {
    if (this.deltasExpected > this.deltas) {
      this.dueSinceMs ??= nowMs
    } else if (this.state === 'finishing') {
      this.completeSinceMs ??= nowMs
    }
  }
}
