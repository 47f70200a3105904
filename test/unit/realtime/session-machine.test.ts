import { AssertionError } from 'node:assert'
import { describe, expect, it } from 'vitest'
import { UpstreamError } from '../../../src/kernel/errors.js'
import { deltasDue, deltasTotal, samplesForDelta, tailSteps } from '../../../src/model/step-law.js'
import { TextLeftOut } from '../../../src/realtime/session-failure.js'
import { type SessionLimits, SessionMachine } from '../../../src/realtime/session-machine.js'

const limits: SessionLimits = {
  createdTimeoutMs: 10_000,
  stallTimeoutMs: 3_000,
  doneTimeoutMs: 30_000,
  blankSpeechMaxMs: 16_000,
  deltaDelayMs: 0,
}
/** The engine pads, as vLLM does, and nothing may be missing. */
const END = { isPadded: false, mayBeShort: false }
const usage = (completionTokens: number) => ({ promptTokens: 39, completionTokens })
const delta = (text = '') => ({ kind: 'delta', text }) as const

function machine(changes: Partial<SessionLimits> = {}, speech = false): SessionMachine {
  return new SessionMachine({ ...limits, ...changes }, () => speech, 0)
}

function generating(changes: Partial<SessionLimits> = {}, speech = false): SessionMachine {
  const session = machine(changes, speech)
  session.received({ kind: 'created', sessionId: 's' }, 0)
  session.started()
  return session
}

function feed(session: SessionMachine, count: number, nowMs: number, text = ''): void {
  for (let index = 0; index < count; index += 1) session.received(delta(text), nowMs)
}

describe('a session that goes well', () => {
  it('passes through its states and is verified when count, usage and law agree', () => {
    const session = machine()
    expect(session.state).toBe('connecting')
    session.received({ kind: 'created', sessionId: 's' }, 1)
    expect(session.state).toBe('created')
    session.started()
    session.appended(16_000, 10)
    feed(session, deltasDue(16_000), 20)
    session.finalSent(30, END)
    expect(session.state).toBe('finishing')
    feed(session, deltasTotal(16_000) - deltasDue(16_000), 40)
    session.received({ kind: 'done', text: '', usage: usage(deltasTotal(16_000)) }, 50)
    expect(session.state).toBe('done')
    expect(session.verified).toBe(true)
    expect(session.failure).toBeNull()
  })

  it.each([
    ['a delta too few, where that may be', 22, 22],
    ['a delta too many', 24, 24],
    ['a usage that disagrees', 23, 22],
  ])('is not verified with %s', (_, deltas, completionTokens) => {
    const session = generating()
    session.appended(16_000, 0)
    session.finalSent(0, { ...END, mayBeShort: true })
    feed(session, deltas, 1)
    session.received({ kind: 'done', text: '', usage: usage(completionTokens) }, 2)
    expect(session.state).toBe('done')
    expect(session.verified).toBe(false)
  })

  it('is not verified without usage, and ignores everything after its end', () => {
    const session = generating()
    session.appended(16_000, 0)
    session.finalSent(0, END)
    feed(session, deltasTotal(16_000), 1)
    session.received({ kind: 'done', text: '', usage: null }, 2)
    session.closed(1006, '')
    feed(session, 3, 3)
    session.appended(1280, 3)
    session.check(1e9)
    expect(session).toMatchObject({ state: 'done', verified: false, deltas: 23 })
  })

  it('takes unknown events and a second greeting for nothing', () => {
    const session = generating()
    session.received({ kind: 'other', type: 'session.updated' }, 1)
    session.received({ kind: 'created', sessionId: 's' }, 1)
    expect(session.state).toBe('generating')
  })
})

describe('a session that fails', () => {
  it.each([
    ['without a greeting', (s: SessionMachine) => s.check(10_001), 'session_stalled'],
    ['on a close while connecting', (s: SessionMachine) => s.closed(1006, ''), 'engine_crashed'],
    [
      'on text before any audio',
      (s: SessionMachine) => s.received(delta(' x'), 1),
      'engine_protocol',
    ],
    [
      'on a model that is not served',
      (s: SessionMachine) =>
        s.received({ kind: 'error', message: 'no', code: 'model_not_found' }, 1),
      'engine_model_missing',
    ],
  ])('%s', (_, act, code) => {
    const session = machine()
    act(session)
    expect(session).toMatchObject({ state: 'failed', failure: { code, retryable: true } })
  })

  it.each([
    ['processing_error', 'engine_crashed'],
    ['invalid_json', 'engine_crashed'],
    ['invalid_event', 'engine_crashed'],
    ['unknown_event', 'engine_crashed'],
    ['model_not_validated', 'engine_crashed'],
    ['model_not_found', 'engine_model_missing'],
    ['invalid_audio', 'engine_overloaded'],
    ['buffer_full', 'engine_overloaded'],
    ['idle_timeout', 'engine_overloaded'],
    [null, 'engine_crashed'],
  ])('on the error %s', (engineCode, code) => {
    const session = generating()
    session.received({ kind: 'error', message: 'no', code: engineCode }, 1)
    expect(session.failure?.code).toBe(code)
  })

  it('on a done while audio is still to come', () => {
    const session = generating()
    session.appended(160_000, 0)
    session.received({ kind: 'done', text: '', usage: usage(5) }, 1)
    expect(session.failure?.code).toBe('engine_protocol')
  })

  it('on a done that leaves audio unanswered, be it padded or not, and taken as it comes', () => {
    for (const end of [END, { isPadded: true, mayBeShort: true }]) {
      const session = generating()
      session.appended(160_000, 0)
      session.finalSent(0, end)
      feed(session, deltasDue(160_000) - 1, 1)
      session.received({ kind: 'done', text: '', usage: null }, 2)
      expect(session).toMatchObject({ tail: 'unlawful', failure: { code: 'engine_protocol' } })
      expect(session.failure instanceof TextLeftOut).toBe(false)
    }
  })

  it('on a done that leaves the tail of the text out, unless that may be', () => {
    for (const deltas of [deltasDue(160_000), deltasTotal(160_000) - 1]) {
      for (const mayBeShort of [false, true]) {
        const session = generating()
        session.appended(160_000, 0)
        session.finalSent(0, { ...END, mayBeShort })
        feed(session, deltas, 1)
        session.received({ kind: 'done', text: '', usage: usage(deltas) }, 2)
        expect(session.state).toBe(mayBeShort ? 'done' : 'failed')
        expect(session.verified).toBe(false)
        expect(session.failure instanceof TextLeftOut).toBe(!mayBeShort)
      }
    }
  })

  it.each([
    ['one empty delta of an abort', ['', 'text'], [''], true],
    ['two of them', ['', 'text'], ['', ''], true],
    ['three, as no abort sends', ['', 'text'], ['', '', ''], false],
    ['text beyond the audio', ['', 'text'], ['more'], false],
    ['text after an empty one too many', ['', ''], ['', 'more'], false],
  ])('with times that are exact or not, by what came beyond the audio: %s', (...given) => {
    const [, due, beyond, isExact] = given
    const session = generating()
    session.appended(samplesForDelta(1), 0)
    for (const text of due) session.received(delta(text), 1)
    expect(session.isExact).toBe(true)
    for (const text of beyond) session.received(delta(text), 1)
    session.closed(1012, '')
    expect(session.isExact).toBe(isExact)
  })

  it('with times that stay inexact, though the audio catches up with what came too early', () => {
    const session = generating()
    session.appended(samplesForDelta(1), 0)
    feed(session, 3, 1, 'text')
    session.appended(16_000, 2)
    feed(session, 1, 3, 'text')
    session.closed(1012, '')
    expect(session.isExact).toBe(false)
  })

  it.each([
    ['by the engine that we padded for', deltasTotal(16_000), 'ours'],
    ['by one that pads itself all the same', deltasTotal(16_000) + tailSteps(), 'both'],
  ])('not on a padded end that is answered %s', (_, deltas, tail) => {
    const session = generating()
    session.appended(16_000, 0)
    session.finalSent(0, { isPadded: true, mayBeShort: false })
    feed(session, deltas, 1)
    session.received({ kind: 'done', text: '', usage: usage(deltas) }, 2)
    expect(session).toMatchObject({ state: 'done', verified: true, tail })
  })

  const states: Record<string, () => SessionMachine> = {
    connecting: () => machine(),
    created: () => {
      const session = machine()
      session.received({ kind: 'created', sessionId: 's' }, 0)
      return session
    },
    generating: () => {
      const session = generating()
      session.appended(160_000, 0)
      return session
    },
    finishing: () => {
      const session = generating()
      session.appended(160_000, 0)
      session.finalSent(0, END)
      return session
    },
  }
  const codes = [1000, 1006, 1009, 1011, 1012]

  it.each(Object.keys(states).flatMap((state) => codes.map((code) => [state, code] as const)))(
    'on a close while %s, with the code %s in the sentence',
    (state, code) => {
      const session = states[state]?.() as SessionMachine
      expect(session.state).toBe(state)
      session.closed(code, 'bye')
      expect(session).toMatchObject({
        state: 'failed',
        failure: { code: 'engine_crashed', retryable: true, facts: { closeCode: code, state } },
      })
      expect(session.failure?.message).toContain(`${code}, bye`)
    },
  )

  it('when no delta comes for the stall time although one is due', () => {
    const session = generating()
    session.appended(8_999, 0)
    session.check(1e6)
    expect(session.failure).toBeNull() // the first delta needs 9000 samples
    session.appended(1, 1e6)
    session.check(1e6 + 3_000)
    expect(session.failure).toBeNull()
    session.check(1e6 + 3_001)
    expect(session.failure?.code).toBe('session_stalled')
  })

  it('counts the stall from the last delta, and adds the delay of the engine', () => {
    const session = generating({ deltaDelayMs: 8_000 })
    session.appended(32_000, 0)
    session.received(delta(), 10_000)
    session.check(21_000)
    expect(session.failure).toBeNull()
    session.check(21_001)
    expect(session.failure?.code).toBe('session_stalled')
  })

  it('when every delta came and done does not', () => {
    const session = generating()
    session.appended(16_000, 0)
    session.finalSent(0, END)
    feed(session, deltasTotal(16_000), 100)
    session.check(30_100)
    expect(session.failure).toBeNull()
    session.check(30_101)
    expect(session.failure?.message).toContain('no end')
  })

  it('on blanks over 16 s of speech, not over silence, and not where it is not watched', () => {
    const cases = [
      { speech: true, limit: 16_000, failed: true },
      { speech: false, limit: 16_000, failed: false },
      { speech: true, limit: null, failed: false },
    ]
    for (const { speech, limit, failed } of cases) {
      const session = generating({ blankSpeechMaxMs: limit }, speech)
      session.appended(1_600_000, 0)
      feed(session, 200, 1)
      expect(session.failure).toBeNull()
      session.received(delta(), 1)
      expect(session.failure instanceof TextLeftOut).toBe(failed)
    }
  })

  it('counts what is due anew while the whole engine is silent, until that is over', () => {
    const waiting = generating()
    waiting.appended(160_000, 0)
    const complete = generating()
    complete.appended(16_000, 0)
    complete.finalSent(0, END)
    feed(complete, deltasTotal(16_000), 0)
    const idle = generating()
    for (const [session, limitMs] of [
      [waiting, 3_000],
      [complete, 30_000],
    ] as const) {
      session.excuse(limitMs)
      session.check(2 * limitMs)
      expect(session.failure).toBeNull()
      session.check(2 * limitMs + 1)
      expect(session.failure?.code).toBe('session_stalled')
    }
    // Nothing was due: an excuse makes nothing due.
    idle.excuse(1)
    idle.check(1e9)
    expect(idle.failure).toBeNull()
  })

  it('once, and nothing that comes after changes why', () => {
    const session = generating()
    session.appended(160_000, 0)
    session.closed(1006, '')
    const { failure } = session
    session.finalSent(1, END)
    session.received({ kind: 'error', message: 'no', code: null }, 2)
    session.fail(new UpstreamError('engine_unavailable', 'Late.'))
    session.check(1e9)
    expect(session).toMatchObject({ state: 'failed', failure })
  })

  it('starts the count of blanks anew with every text', () => {
    const session = generating({}, true)
    session.appended(16_000_000, 0)
    for (let round = 0; round < 5; round += 1) {
      feed(session, 200, 1)
      session.received(delta(' word'), 1)
    }
    expect(session.failure).toBeNull()
    expect(session.blankDeltas).toBe(1000)
  })
})

describe('what the client itself must never do', () => {
  it('starts before the greeting, or ends without audio', () => {
    expect(() => machine().started()).toThrow(AssertionError)
    expect(() => machine().appended(1, 0)).toThrow(AssertionError)
    expect(() => generating().finalSent(0, END)).toThrow(AssertionError)
    const finishing = generating()
    finishing.appended(1, 0)
    finishing.finalSent(0, END)
    expect(() => finishing.appended(1, 0)).toThrow(AssertionError)
  })
})
