import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Pace } from '../../../src/media/replay-schedule.js'
import { FRAME_BYTES, SAMPLE_BYTES, STEP_SAMPLES } from '../../../src/model/pcm.js'
import { deltasDue, deltasTotal } from '../../../src/model/step-law.js'
import type { SessionAudio, TransportOpener } from '../../../src/realtime/index.js'
import {
  type SessionMeter,
  type SessionRequest,
  type SessionResult,
  sessionRunner,
} from '../../../src/realtime/run-session.js'
import { ScriptedTransport } from '../../fakes/scripted-transport.js'
import { StepClock, settle } from '../../fakes/step-clock.js'

function silence(samples: number): SessionAudio {
  return {
    async *frames() {
      for (let left = samples; left > 0; left -= STEP_SAMPLES) {
        yield new Uint8Array(Math.min(FRAME_BYTES, left * SAMPLE_BYTES))
      }
    },
  }
}

interface Measured {
  slipsMs: number[]
  heldMs: number[]
}

function begin(options: {
  samples: number
  pace?: Pace
  lagMaxMs?: number
  engineAnswers?: boolean
  request?: Partial<SessionRequest>
  opener?: TransportOpener
}) {
  const clock = new StepClock(1_000)
  const transport = new ScriptedTransport(() => clock.monotonicMs())
  const measured: Measured = { slipsMs: [], heldMs: [] }
  const meter: SessionMeter = {
    connected: () => {},
    frameSent: (_, slipMs) => measured.slipsMs.push(slipMs),
    deltaReceived: () => {},
    held: (durationMs) => measured.heldMs.push(durationMs),
    finished: () => {},
  }
  const request: SessionRequest = {
    engine: { url: 'ws://engine/v1/realtime', key: null },
    model: 'm',
    audio: silence(options.samples),
    pace: options.pace ?? 1,
    permission: null,
    isExcused: () => false,
    leg: 0,
    legStartMs: 0,
    limits: {
      createdTimeoutMs: 10_000,
      stallTimeoutMs: 3_000,
      doneTimeoutMs: 30_000,
      blankSpeechMaxMs: null,
      deltaDelayMs: 0,
    },
    mayEndShort: false,
    lagMaxMs: options.lagMaxMs ?? 4_000,
    speechAt: () => false,
    meter,
    onGroup: () => {},
    onProgress: () => {},
    ...options.request,
  }
  let samples = 0
  let deltas = 0
  const answer = (until: number) => {
    for (; deltas < until; deltas += 1) {
      transport.receive({ type: 'transcription.delta', delta: deltas % 5 === 0 ? ' w' : '' })
    }
  }
  if (options.engineAnswers !== false) {
    transport.onSent = (frame) => {
      samples += frame.samples ?? 0
      answer(deltasDue(samples))
      if (!frame.final) return
      answer(deltasTotal(samples))
      const usage = { prompt_tokens: 39, completion_tokens: deltas, total_tokens: deltas + 39 }
      transport.receive({ type: 'transcription.done', text: '', usage })
    }
  }
  const abort = new AbortController()
  const outcome: { result?: SessionResult; error?: unknown } = {}
  const { opener = transport } = options
  const ended = sessionRunner({ opener, clock })(request, { signal: abort.signal }).then(
    (result) => {
      outcome.result = result
    },
    (error) => {
      outcome.error = error
    },
  )
  return { clock, transport, measured, outcome, ended, abort, answer }
}

const greet = (transport: ScriptedTransport) =>
  transport.receive({ type: 'session.created', id: 's', created: 1 })

describe('a session at pace 1', () => {
  it('sends update, commit, the audio and final, in this order, and nothing before the greeting', async () => {
    const { clock, transport, outcome, ended } = begin({ samples: 16_000 })
    await clock.advance(500)
    expect(transport.sent).toEqual([])
    greet(transport)
    await clock.advance(2_000)
    await ended
    const kinds = transport.sent.map(({ type, final }) => `${type} ${final ?? ''}`.trim())
    expect(kinds.slice(0, 2)).toEqual(['session.update', 'input_audio_buffer.commit false'])
    expect(kinds.at(-1)).toBe('input_audio_buffer.commit true')
    expect(transport.appends).toHaveLength(13)
    expect(outcome.result).toMatchObject({ samples: 16_000, deltas: 23, verified: true })
    expect(transport.closedBy).toBe('close')
    expect(clock.sleeping).toBe(0)
  })

  it('sends no frame before it is due, at any pace, and none late on a clock that never is', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 60_000 }),
        fc.constantFrom(0.5, 1, 2, 7.3),
        async (samples, pace) => {
          const { clock, transport, measured, ended } = begin({ samples, pace })
          greet(transport)
          await settle()
          await clock.advance(20_000)
          await ended
          const startMs = transport.sent[0]?.atMs ?? 0
          for (const [index, { atMs }] of transport.appends.entries()) {
            expect(atMs).toBeCloseTo(startMs + (index * 80) / pace, 6)
          }
          expect(Math.max(...measured.slipsMs)).toBeCloseTo(0, 6)
          const sent = transport.appends.reduce((sum, frame) => sum + (frame.samples ?? 0), 0)
          expect(sent).toBe(samples)
        },
      ),
      { numRuns: 25 },
    )
  })

  it('stands still while the engine is too far behind, and goes on at pace, not in a burst', async () => {
    const samples = 160_000
    const { clock, transport, measured, ended, answer } = begin({
      samples,
      engineAnswers: false,
      lagMaxMs: 1_000,
    })
    greet(transport)
    await clock.advance(2_900)
    const before = transport.appends.length
    expect(before).toBeLessThanOrEqual(1 + (1_000 + 7 * 80) / 80 + 1)
    answer(before - 7)
    await clock.advance(80)
    expect(transport.appends.length - before).toBeLessThanOrEqual(2)
    expect(measured.heldMs).toHaveLength(1)
    transport.hangUp(1006)
    await ended
  })

  it('looks ahead by a bounded amount at pace max', async () => {
    const { clock, transport, ended } = begin({
      samples: 1_600_000,
      pace: 'max',
      engineAnswers: false,
    })
    greet(transport)
    await clock.advance(10)
    expect(transport.appends.length).toBe(1 + Math.floor((4_000 + 7 * 80) / 80))
    transport.hangUp(1006)
    await ended
  })
})

describe('a session with a lease', () => {
  it('sends its first frame when that is due, and none before it is permitted', async () => {
    const asked: number[] = []
    const clock = new StepClock()
    const { transport, ended, ...session } = begin({
      samples: 16_000,
      request: {
        permission: {
          startMs: 1_700,
          permit(index, _, { signal }) {
            asked.push(index)
            return index === 5 ? clock.sleepUntil(1, { signal }) : undefined
          },
        },
      },
    })
    greet(transport)
    await session.clock.advance(3_000)
    expect(transport.appends.map(({ atMs }) => atMs)).toEqual([1_700, 1_780, 1_860, 1_940, 2_020])
    await clock.advance(1)
    await session.clock.advance(2_000)
    await ended
    expect(session.outcome.result).toMatchObject({ samples: 16_000, verified: true })
    // It goes on at its pace from where it was let go, with no burst.
    const later = transport.appends.slice(5).map(({ atMs }) => atMs)
    expect(later).toEqual(later.map((_, at) => 4_000 + at * 80))
    expect(asked).toEqual([...transport.appends.keys()])
  })

  it('catches up no more than a little of what it came too late for', async () => {
    const permission = { startMs: 0, permit: () => undefined }
    const { clock, transport, ended } = begin({ samples: 16_000, request: { permission } })
    await clock.advance(9_000)
    greet(transport)
    await clock.advance(1)
    const burst = transport.appends.length
    expect(burst).toBe(1 + 240 / 80)
    await clock.advance(2_000)
    await ended
  })

  it('tells after every delta how far it has come', async () => {
    const told: [deltas: number, answeredMs: number, writing: string][] = []
    const { clock, transport, ended, outcome } = begin({
      samples: 16_000,
      request: {
        onProgress: (progress) => {
          expect(progress.isExact).toBe(true)
          const text = progress.writing()?.text ?? ''
          told.push([progress.deltas, progress.answeredMs, text])
        },
      },
    })
    greet(transport)
    await clock.advance(3_000)
    await ended
    expect(told).toHaveLength(outcome.result?.deltas ?? 0)
    for (const [at, [deltas, answeredMs, writing]] of told.entries()) {
      expect([deltas, answeredMs]).toEqual([at + 1, Math.min(1_000, (at + 1) * 80)])
      expect(writing).toBe(at % 5 === 0 ? ' w' : '')
    }
  })

  it('is held by nobody at pace max, where waiting is no fault', async () => {
    const options = { samples: 80_000, pace: 'max', engineAnswers: false } as const
    const { clock, transport, measured, ended, answer } = begin({ ...options, lagMaxMs: 1_000 })
    greet(transport)
    await clock.advance(500)
    const before = transport.appends.length
    answer(before - 7)
    await clock.advance(10)
    expect(transport.appends.length).toBeGreaterThan(before)
    expect(measured.heldMs).toEqual([])
    transport.hangUp(1006)
    await ended
  })
})

describe('a session that can not go on', () => {
  it('drops a socket that is opened after it was stopped', async () => {
    const reason = new Error('canceled')
    let stop = () => {}
    const { transport, outcome, ended, abort } = begin({
      samples: 1,
      opener: {
        open: async () => {
          await settle()
          stop()
          return transport
        },
      },
    })
    stop = () => abort.abort(reason)
    await ended
    expect(outcome.error).toBe(reason)
    expect(transport).toMatchObject({ closedBy: 'destroy', sent: [] })
  })

  it('waits as long as the whole engine is silent, which is not its own fault', async () => {
    let isExcused = true
    const { clock, transport, outcome, ended } = begin({
      ...{ samples: 160_000, engineAnswers: false, request: { isExcused: () => isExcused } },
    })
    greet(transport)
    await clock.advance(60_000)
    expect(outcome).toEqual({})
    isExcused = false
    await clock.advance(4_000)
    await ended
    expect(outcome.error).toMatchObject({ code: 'session_stalled' })
  })

  it('fails at a binary frame, which no engine has a reason to send', async () => {
    const { clock, transport, outcome, ended } = begin({ samples: 160_000 })
    greet(transport)
    await clock.advance(1_000)
    transport.receiveBinary(3)
    await ended
    expect(outcome.error).toMatchObject({ name: 'ProtocolError', code: 'engine_protocol' })
    expect(transport.closedBy).toBe('destroy')
  })

  it('ends with the reason of its signal and drops the socket', async () => {
    const { clock, transport, outcome, ended, abort } = begin({ samples: 160_000 })
    greet(transport)
    await clock.advance(1_000)
    const reason = new Error('canceled')
    abort.abort(reason)
    await ended
    expect(outcome.error).toBe(reason)
    expect(transport.closedBy).toBe('destroy')
    expect(clock.sleeping).toBe(0)
  })

  it('ends with the failure of the engine, also while the sender waits', async () => {
    const { clock, transport, outcome, ended } = begin({ samples: 160_000 })
    greet(transport)
    await clock.advance(1_000)
    transport.receive({
      type: 'error',
      error: 'EngineCore encountered an issue.',
      code: 'processing_error',
    })
    await settle()
    await ended
    expect(outcome.error).toMatchObject({ code: 'engine_crashed' })
    expect(clock.sleeping).toBe(0)
  })

  it('ends by its watchdog when the engine falls silent', async () => {
    const { clock, transport, outcome, ended } = begin({ samples: 160_000, engineAnswers: false })
    greet(transport)
    await clock.advance(4_000)
    await ended
    expect(outcome.error).toMatchObject({ code: 'session_stalled' })
    expect(transport.closedBy).toBe('destroy')
  })

  it('outlives a minute in which its own process stood still', async () => {
    const { clock, transport, outcome, ended, answer } = begin({
      ...{ samples: 160_000, engineAnswers: false },
    })
    greet(transport)
    await clock.advance(2_000)
    await clock.standStill(60_000)
    expect(outcome).toEqual({})
    answer(deltasDue(16_000)) // lay in the socket meanwhile
    await clock.advance(2_500)
    expect(outcome).toEqual({})
    await clock.advance(1_500)
    await ended
    expect(outcome.error).toMatchObject({ code: 'session_stalled' })
  })

  it('ends by its watchdog when nobody greets', async () => {
    const { clock, outcome, ended } = begin({ samples: 1 })
    await clock.advance(10_300)
    await ended
    expect(outcome.error).toMatchObject({ code: 'session_stalled' })
  })

  it('ends on a frame that breaks the protocol', async () => {
    const { transport, outcome, ended } = begin({ samples: 16_000 })
    transport.receive({ type: 'transcription.delta' })
    await ended
    expect(outcome.error).toMatchObject({ code: 'engine_protocol' })
    expect(transport.closedBy).toBe('destroy')
  })
})
