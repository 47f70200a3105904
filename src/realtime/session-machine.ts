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
 * - `created`: the server is there; nothing has been asked of it. Ends with `started`, when model
 *   and first commit were sent (→ generating).
 * - `generating`: audio goes out, deltas come in. Ends with `finalSent` (→ finishing). A `done`
 *   here is early: the server gave up on audio that it was still to get (→ failed).
 * - `finishing`: the end of the audio was announced. Ends with `done` (→ done), which must not
 * leave
 *   audio unanswered, nor the tail of the text out unless that may be (→ failed).
 * - `done`, `failed`: nothing changes any more; whatever still arrives is ignored.
 *
 * Every state but the last two fails on an `error` event, on a close, and on the watchdogs of
 * `check`. They count wall time while a delta is due, never audio sent: a slowed sender would
 * otherwise keep them from firing.
 */
export type SessionState = 'connecting' | 'created' | 'generating' | 'finishing' | 'done' | 'failed'

/**
 * A request that vLLM aborts, as when it is told to stop, ends with so many empty deltas at most
 * that stand for no audio. Seen on 0.32: one, and two where it was behind.
 */
const ABORT_DELTAS_MAX = 2

/** Bounds of the watchdogs. */
export interface SessionLimits {
  createdTimeoutMs: number
  /** No delta for so long while one is due. `deltaDelayMs` is added. */
  stallTimeoutMs: number
  /** No `done` for so long after the last delta that was due. `deltaDelayMs` is added. */
  doneTimeoutMs: number
  /** So much speech in a row with empty deltas only; null: not watched. */
  blankSpeechMaxMs: number | null
  /** Time by which the engine holds deltas back beyond the model's own delay. */
  deltaDelayMs: number
}

/** Says whether there is speech at a time of the session's audio, in ms from its start. */
export type SpeechAt = (offsetMs: number) => boolean

/** What is known of the end of a session when its final commit is sent. */
export interface SessionEnd {
  /** `PAD_SAMPLES` of ours followed the audio. */
  isPadded: boolean
  /** The end of the text may be missing; such a session isn't verified. */
  mayBeShort: boolean
}

export type { SessionFailure }

/** A session as it stands; see `SessionState` for what its methods may do when. */
export class SessionMachine {
  state: SessionState = 'connecting'
  /** Set in `failed`. */
  failure: SessionFailure | null = null
  /** Set in `done`. */
  usage: Usage | null = null
  deltas = 0
  blankDeltas = 0
  /** Of the audio, without padding of ours. */
  samplesSent = 0
  /** Set by a `done` that came after the final commit, whatever became of the session. */
  tail: TailOrigin | null = null
  private readonly limits: SessionLimits
  private readonly speechAt: SpeechAt
  private readonly openedMs: number
  /** Since when a delta has been due without any coming; null when none is due. */
  private dueSinceMs: number | null = null
  private completeSinceMs: number | null = null
  private blankSpeechMs = 0
  /** 1-based; 0 before any has text. */
  private lastTextDelta = 0
  /** 1-based, of those that were more than the audio allowed. */
  private firstExcessDelta: number | null = null
  /** Null until the final commit was sent. */
  private end: SessionEnd | null = null

  constructor(limits: SessionLimits, speechAt: SpeechAt, nowMs: number) {
    this.limits = limits
    this.speechAt = speechAt
    this.openedMs = nowMs
  }

  /** Model and first commit have been sent. */
  started(): void {
    assert.equal(this.state, 'created', 'a session starts once, after session.created')
    this.state = 'generating'
  }

  /** So many more samples were appended. */
  appended(samples: number, nowMs: number): void {
    if (this.over) return
    assert.equal(this.state, 'generating', 'audio goes only into a running generation')
    this.samplesSent += samples
    this.noteDue(nowMs)
  }

  /** The final commit was sent. A final without audio poisons the next utterance: never do it. */
  finalSent(nowMs: number, end: SessionEnd): void {
    if (this.over) return
    assert.equal(this.state, 'generating', 'one final commit, after the audio')
    assert.ok(this.samplesSent > 0, 'never commit without audio')
    this.state = 'finishing'
    this.end = end
    this.noteDue(nowMs)
  }

  /** Takes one event of the server. */
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
        return // acknowledgements of newer servers and forks change nothing for us
    }
  }

  /** The socket is gone. */
  closed(code: number, reason: string): void {
    if (this.over) return
    const why = reason ? `${code}, ${reason}` : String(code)
    const sentence = `The engine closed the session before the transcript was complete (${why}).`
    const { state, deltas } = this
    this.fail(new SessionClosed(sentence, { closeCode: code, state, deltas }))
  }

  /** Looks at the clock; call it a few times a second. */
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

  /** What is due counts from now on: the silence of a whole engine isn't this session's fault. */
  excuse(nowMs: number): void {
    if (this.dueSinceMs !== null) this.dueSinceMs = nowMs
    if (this.completeSinceMs !== null) this.completeSinceMs = nowMs
  }

  get over(): boolean {
    return this.state === 'done' || this.state === 'failed'
  }

  /** Deltas that the server can and so must have sent by now. */
  get deltasExpected(): number {
    return this.end ? deltasTotal(this.samplesSent) : deltasDue(this.samplesSent)
  }

  /** Whether no more deltas came than the audio allows, save by an abort: then times are exact. */
  get isExact(): boolean {
    const { firstExcessDelta: excess, lastTextDelta, deltas } = this
    if (excess === null) return true
    return excess > lastTextDelta && deltas - excess < ABORT_DELTAS_MAX
  }

  /** Whether count, formula and the server's own figure agree: then times are exact. */
  get verified(): boolean {
    const { tail, usage, deltas } = this
    return tail !== null && isLawful(tail) && usage?.completionTokens === deltas
  }

  /** Ends the session from outside, such as for a transport that could not be opened. */
  fail(failure: SessionFailure): void {
    if (this.over) return
    this.state = 'failed'
    this.failure = failure
    this.dueSinceMs = null
    this.completeSinceMs = null
  }

  /** Deltas that the server can have sent by now, by any law. */
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
