import { describe, expect, it } from 'vitest'
import type { Fault } from '../../../gpu/standin/faults/fault-kinds.js'
import { inProcessEngine } from '../../../gpu/standin/in-process-engine.js'
import { seededRandom } from '../../../src/kernel/seeded-random.js'
import { STEP_SAMPLES } from '../../../src/model/pcm.js'
import { deltasTotal, tailSteps } from '../../../src/model/step-law.js'
import {
  type SessionRequest,
  type SessionResult,
  sessionRunner,
} from '../../../src/realtime/run-session.js'
import { createScriptedFactory } from '../../fakes/scripted-recognizer.js'
import { StepClock } from '../../fakes/step-clock.js'

const NEVER = new AbortController().signal
const SAMPLES = 80_001
/** One word every 320 ms; the last one ends with the audio. */
const WORDS = Array.from({ length: 15 }, (_, index) => ({
  text: `w${index}`,
  endMs: 200 + (index + 1) * 320,
}))
const ALL = WORDS.map(({ text }) => text).join(' ')

function requestOf(url: string, mayEndShort: boolean): SessionRequest {
  return {
    engine: { url, key: null },
    model: 'mistralai/Voxtral-Mini-4B-Realtime-2602',
    audio: {
      async *frames() {
        for (let left = SAMPLES; left > 0; left -= STEP_SAMPLES) {
          yield new Uint8Array(Math.min(left, STEP_SAMPLES) * 2)
        }
      },
    },
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
    mayEndShort,
    lagMaxMs: 4_000,
    speechAt: () => false,
    meter: {
      connected: () => {},
      frameSent: () => {},
      deltaReceived: () => {},
      held: () => {},
      finished: () => {},
    },
    onGroup: () => {},
    onProgress: () => {},
  }
}

/** One runner, and an engine behind it that is told what goes wrong in its next session. */
function engineWithRunner() {
  const clock = new StepClock()
  const recognizer = createScriptedFactory(WORDS)
  const engine = inProcessEngine({ clock, random: seededRandom(1), recognizer })
  const run = sessionRunner({ opener: engine, clock })
  return async (faults: readonly Fault[], { url = 'ws://a', mayEndShort = false } = {}) => {
    engine.setFaults(faults)
    const outcome: { result?: SessionResult; error?: unknown } = {}
    const ended = run(requestOf(url, mayEndShort), { signal: NEVER }).then(
      (result) => {
        outcome.result = result
      },
      (error) => {
        outcome.error = error
      },
    )
    await clock.advance(20_000)
    await ended
    return outcome
  }
}

const textOf = ({ result }: { result?: SessionResult }) =>
  result?.groups.map(({ text }) => text.trim()).join(' ')
const UNPADDED: readonly Fault[] = [{ kind: 'no_right_padding' }]
const TOTAL = deltasTotal(SAMPLES)

describe('an engine that does not pad what it is sent', () => {
  it('fails one leg, and is padded by us from then on: every word comes, times are exact', async () => {
    const session = engineWithRunner()
    expect((await session(UNPADDED)).error).toMatchObject({
      code: 'engine_protocol',
      facts: { leftOut: 'tail' },
    })
    for (let time = 0; time < 2; time += 1) {
      const whole = await session(UNPADDED)
      expect(textOf(whole)).toBe(ALL)
      expect(whole.result).toMatchObject({ samples: SAMPLES, deltas: TOTAL, verified: true })
    }
  })

  it('is found out by a warm-up, at the cost of no leg', async () => {
    const session = engineWithRunner()
    const warmUp = await session(UNPADDED, { mayEndShort: true })
    expect(warmUp.result).toMatchObject({ verified: false })
    expect(textOf(warmUp)).not.toBe(ALL)
    const leg = await session(UNPADDED)
    expect(textOf(leg)).toBe(ALL)
    expect(leg.result).toMatchObject({ deltas: TOTAL, verified: true })
  })

  it('is known by its address alone', async () => {
    const session = engineWithRunner()
    await session(UNPADDED, { mayEndShort: true })
    const other = await session([], { url: 'ws://b' })
    expect(other.result).toMatchObject({ deltas: TOTAL, verified: true })
  })

  it('is padded no longer than it needs: started anew, it may pad itself', async () => {
    const session = engineWithRunner()
    await session(UNPADDED, { mayEndShort: true })
    const both = await session([])
    expect(both.result).toMatchObject({ deltas: TOTAL + tailSteps(), verified: true })
    expect(textOf(both)).toBe(ALL)
    const alone = await session([])
    expect(alone.result).toMatchObject({ deltas: TOTAL, verified: true })
  })
})

describe('an engine that ends a session short of its tail by chance', () => {
  it('fails the leg, and its next one is whole', async () => {
    const session = engineWithRunner()
    const early: Fault = { kind: 'early_done', afterDeltas: TOTAL - 4 }
    expect((await session([early])).error).toMatchObject({ facts: { leftOut: 'tail' } })
    const again = await session([])
    expect(textOf(again)).toBe(ALL)
    expect(again.result).toMatchObject({ deltas: TOTAL, verified: true })
  })

  it('is taken as it comes where that may be, and the times are no longer exact', async () => {
    const session = engineWithRunner()
    const early: Fault = { kind: 'early_done', afterDeltas: TOTAL - 4 }
    const { result } = await session([early], { mayEndShort: true })
    expect(result).toMatchObject({ deltas: TOTAL - 4, verified: false })
  })
})
