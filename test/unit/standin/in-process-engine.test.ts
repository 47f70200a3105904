import { describe, expect, it } from 'vitest'
import {
  type InProcessEngine,
  type InProcessOptions,
  inProcessEngine,
} from '../../../gpu/standin/in-process-engine.js'
import { createMetronomeFactory } from '../../../gpu/standin/recognizers/metronome-recognizer.js'
import { parseClientEvent, parseUnheard } from '../../../gpu/standin/wire/client-event.js'
import { FRAME_BYTES, SAMPLE_BYTES, STEP_SAMPLES } from '../../../src/model/pcm.js'
import { deltasTotal } from '../../../src/model/step-law.js'
import type { SessionAudio } from '../../../src/realtime/index.js'
import { type SessionRequest, sessionRunner } from '../../../src/realtime/run-session.js'
import { encodeAppend } from '../../../src/realtime/wire-codec.js'
import { StepClock } from '../../fakes/step-clock.js'

const NEVER = new AbortController().signal
const RANDOM = { uniform: () => 0.5, hexId: (bytes: number) => '0'.repeat(2 * bytes) }

function engineOf(clock: StepClock, options: Partial<InProcessOptions> = {}): InProcessEngine {
  const recognizer = createMetronomeFactory(10)
  return inProcessEngine({ clock, random: RANDOM, recognizer, ...options })
}

function silence(samples: number): SessionAudio {
  return {
    async *frames() {
      for (let left = samples; left > 0; left -= STEP_SAMPLES) {
        yield new Uint8Array(Math.min(FRAME_BYTES, left * SAMPLE_BYTES))
      }
    },
  }
}

function requestOf(seconds: number, lags: number[] = []): SessionRequest {
  return {
    engine: { url: 'ws://engine/v1/realtime', key: null },
    model: 'mistralai/Voxtral-Mini-4B-Realtime-2602',
    audio: silence(seconds * 16_000),
    pace: 1,
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
    lagMaxMs: 60_000,
    speechAt: () => false,
    meter: {
      connected: () => {},
      frameSent: () => {},
      deltaReceived: (_, lagMs) => lags.push(lagMs),
      held: () => {},
      finished: () => {},
    },
    onGroup: () => {},
    onProgress: () => {},
  }
}

/** How a session ends; a session's failure is its code. */
async function outcomeOf(running: Promise<{ deltas: number; verified: boolean }>) {
  try {
    const { deltas, verified } = await running
    return { deltas, verified }
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe('the stand-in without sockets', () => {
  it('carries a session of our own on a step clock', async () => {
    const clock = new StepClock()
    const engine = engineOf(clock)
    const run = sessionRunner({ opener: engine, clock })
    const running = run(requestOf(60), { signal: NEVER })
    await clock.advance(30_000)
    expect(engine.stats).toMatchObject({ connectionsActive: 1, kvBlocksHeld: 17 })
    expect(engine.metrics()).toContain('vllm:websocket_connections_active 1.0')
    await clock.advance(31_000)
    const result = await running
    expect(result).toMatchObject({ deltas: deltasTotal(60 * 16_000), verified: true })
    expect(result.groups.slice(0, 2)).toMatchObject([
      { text: ' beat0', step: 10 },
      { text: ' beat1', step: 20 },
    ])
    expect(result.groups).toHaveLength(75)
    expect(engine.stats).toMatchObject({
      finished: 1,
      aborted: 0,
      connectionsActive: 0,
      kvBlocksHeld: 0,
      kvBlocksHeldMax: 20,
    })
  })

  it('stops all its sessions when they fill it, until a watchdog ends one', async () => {
    const clock = new StepClock()
    const engine = engineOf(clock, { blocks: 49 })
    const run = sessionRunner({ opener: engine, clock })
    const running = [1, 2, 3, 4].map(() => outcomeOf(run(requestOf(60), { signal: NEVER })))
    await clock.advance(11_000)
    expect(engine.stats).toMatchObject({ kvBlocksHeldMax: 48, deadlocks: 1, finished: 0 })
    await clock.advance(80_000)
    // The first watchdogs free the engine for the others, which are made whole.
    const whole = { deltas: deltasTotal(60 * 16_000), verified: true }
    const outcomes = await Promise.all(running)
    expect(outcomes.filter((outcome) => outcome === 'session_stalled').length).toBeGreaterThan(0)
    expect(outcomes.filter((outcome) => outcome !== 'session_stalled')).toContainEqual(whole)
    expect(engine.stats).toMatchObject({ kvBlocksHeld: 0, connectionsActive: 0 })
  })

  it('falls behind when a step takes longer than its audio', async () => {
    const clock = new StepClock()
    const stepModel = { baseMs: 80, perSessionMs: 10, perFrameMs: 0 }
    const engine = engineOf(clock, { resources: { stepModel } })
    const run = sessionRunner({ opener: engine, clock })
    const lags: number[] = []
    const running = run(requestOf(40, lags), { signal: NEVER })
    await clock.advance(60_000)
    expect((await running).verified).toBe(true)
    // By 10 ms a step, and 438 steps fit into the 40 s.
    expect(Math.max(...lags)).toBeGreaterThan(4_000)
    expect(Math.max(...lags)).toBeLessThan(5_000)
  })

  it('dies at max_model_len before 0.32, and ends that session only from there on', async () => {
    const outcomes: Record<string, unknown> = {}
    for (const version of ['0.31', '0.32']) {
      const clock = new StepClock()
      const engine = engineOf(clock, { version, maxModelLen: 200 })
      const run = sessionRunner({ opener: engine, clock })
      const long = outcomeOf(run(requestOf(30), { signal: NEVER }))
      const short = outcomeOf(run(requestOf(12), { signal: NEVER }))
      await clock.advance(5_000)
      const late = outcomeOf(run(requestOf(12), { signal: NEVER }))
      await clock.advance(40_000)
      outcomes[version] = [await long, await short, await late, engine.isUp]
    }
    const whole = { deltas: deltasTotal(12 * 16_000), verified: true }
    expect(outcomes).toEqual({
      '0.31': ['engine_crashed', whole, 'engine_crashed', false],
      '0.32': ['engine_protocol', whole, whole, true],
    })
  })

  it('is down for as long as its death says, and then another', async () => {
    const clock = new StepClock()
    const engine = engineOf(clock)
    const run = sessionRunner({ opener: engine, clock })
    const caught = outcomeOf(run(requestOf(12), { signal: NEVER }))
    await clock.advance(2_000)
    engine.kill({ closeMs: 100, downMs: 3_000 })
    await clock.advance(1_000)
    expect(await caught).toBe('engine_crashed')
    expect(await outcomeOf(run(requestOf(1), { signal: NEVER }))).toBe('engine_unavailable')
    await clock.advance(3_000)
    const next = outcomeOf(run(requestOf(12), { signal: NEVER }))
    await clock.advance(20_000)
    expect(await next).toMatchObject({ verified: true })
    expect(engine.stats).toMatchObject({ connections: 1, failed: 0, finished: 1 })
  })

  it('refuses and drops as its faults say', async () => {
    const clock = new StepClock()
    const faults = [
      { kind: 'refuse', sessions: [0] },
      { kind: 'drop', sessions: [1], afterDeltas: 5 },
    ] as const
    const engine = engineOf(clock, { faults })
    const run = sessionRunner({ opener: engine, clock })
    const outcomes = [1, 2, 3].map(() => outcomeOf(run(requestOf(3), { signal: NEVER })))
    await clock.advance(10_000)
    expect(await Promise.all(outcomes)).toEqual([
      'engine_unavailable',
      'engine_crashed',
      { deltas: deltasTotal(48_000), verified: true },
    ])
  })

  it('sets no timer of its own and leaves nobody asleep on the clock', async () => {
    const clock = new StepClock()
    const engine = engineOf(clock, { gpu: 'l40s', faults: [{ kind: 'idle_timeout' }] })
    const transport = await engine.open({ url: '', key: null }, { signal: NEVER })
    transport.send('{"type":"session.update","model":""}')
    transport.send('{"type":"input_audio_buffer.commit"}')
    transport.send(encodeAppend(new Uint8Array(20 * FRAME_BYTES)))
    await clock.advance(20)
    expect(clock.sleeping).toBe(2) // the step, and the fault
    engine.close()
    await clock.advance(0)
    expect(clock.sleeping).toBe(0)
    transport.send(encodeAppend(new Uint8Array(FRAME_BYTES)))
    const seen: unknown[] = []
    for await (const event of transport.events()) seen.push(event)
    expect(seen.at(-1)).toEqual({ kind: 'closed', code: 1012, reason: '' })
    await expect(engine.open({ url: '', key: null }, { signal: NEVER })).rejects.toThrow(/is down/)
  })
})

describe('a frame that nobody listens to', () => {
  it.each([2, 4, 6, 640, 2560, 64_000])('has as many samples as were sent: %d bytes', (bytes) => {
    const event = parseUnheard(encodeAppend(new Uint8Array(bytes).fill(7)))
    expect(event).toMatchObject({ kind: 'append' })
    expect(event.kind === 'append' && event.samples.length).toBe(bytes / 2)
  })

  it.each([
    '{"type":"input_audio_buffer.append","audio":""}',
    '{"type":"input_audio_buffer.append","audio":"AAAA"}',
    '{"type":"input_audio_buffer.append","audio":"AA"}',
    '{"type":"input_audio_buffer.commit","final":true}',
    '{"type":"session.update"}',
    'nonsense',
  ])('is answered as any other when it is odd: %s', (frame) => {
    expect(parseUnheard(frame)).toEqual(parseClientEvent(frame))
  })
})
