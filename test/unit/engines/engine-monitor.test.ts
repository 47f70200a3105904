import { describe, expect, it } from 'vitest'
import { EngineMonitor } from '../../../src/engines/engine-monitor.js'
import { ConfigError, UpstreamError } from '../../../src/kernel/errors.js'
import { StepClock } from '../../fakes/step-clock.js'

const gone = () => new UpstreamError('engine_unavailable', 'It is gone.')
const dead = () => new UpstreamError('engine_crashed', 'It is dead.')
const stuck = () => new UpstreamError('session_stalled', 'It is stuck.')
const otherModel = () => new ConfigError('engine_model_missing', 'It serves another model.')

/** A watch on a step clock, whose engine does what `now` says. */
function begin() {
  const clock = new StepClock()
  const stop = new AbortController()
  const now: Record<'examine' | 'warmUp' | 'check', (() => Error) | null> = {
    examine: null,
    warmUp: null,
    check: null,
  }
  const calls: string[] = []
  const states: string[] = []
  const look = (name: keyof typeof now) => async () => {
    calls.push(`${name}@${clock.monotonicMs()}`)
    const failure = now[name]
    if (failure) throw failure()
  }
  const watch = new EngineMonitor<{ blocks: number }>({
    looks: {
      examine: async () => {
        await look('examine')()
        return { blocks: 1728 }
      },
      warmUp: look('warmUp'),
      check: look('check'),
    },
    clock,
    random: { uniform: () => 0, hexId: () => '' },
    onChange: ({ health }) => states.push(`${health.state}@${clock.monotonicMs()}`),
  })
  const ended = watch.run({ signal: stop.signal }).catch((error: unknown) => error)
  return { clock, stop, now, calls, states, watch, ended }
}

describe('watching an engine', () => {
  it('examines it and warms it up, and then only asks whether it lives', async () => {
    const { clock, calls, states, watch } = begin()
    expect(watch.facts).toBeNull()
    await clock.advance(11_000)
    expect(states).toEqual(['warming@0', 'up@0'])
    expect(calls).toEqual(['examine@0', 'warmUp@0', 'check@5000', 'check@10000'])
    expect(watch).toMatchObject({ isUp: true, facts: { blocks: 1728 } })
  })

  it('takes out one that vanishes, and back after a warm-up', async () => {
    const { clock, now, calls, states, watch } = begin()
    await clock.advance(1_000)
    now.check = gone
    now.examine = gone
    await clock.advance(6_500)
    expect(states.slice(2)).toEqual(['out@6000'])
    expect(watch.isUp).toBe(false)
    now.examine = null
    calls.length = 0
    await clock.advance(3_000)
    expect(calls.slice(0, 2)).toEqual(['examine@9000', 'warmUp@9000'])
    expect(states.slice(3)).toEqual(['warming@9000', 'up@9000'])
  })

  it('leaves one out that answers and yet does not work', async () => {
    const { clock, now, states, watch } = begin()
    now.warmUp = stuck
    await clock.advance(8_000)
    expect(watch.health).toMatchObject({ state: 'out', reason: 'It is stuck.' })
    expect(states.at(-1)).toBe('out@7000')
    expect(states).not.toContain('up@0')
  })

  it('tells why one is out, once a reason, and keeps looking', async () => {
    const { clock, now, calls, states, watch } = begin()
    now.examine = otherModel
    await clock.advance(60_000)
    expect(states).toEqual(['out@0'])
    expect(calls).toHaveLength(8)
    now.examine = null
    await clock.advance(15_000)
    expect(watch.isUp).toBe(true)
  })

  it('looks at once when a session failed, and not before', async () => {
    const { clock, now, calls, states, watch } = begin()
    await clock.advance(1_000)
    now.check = dead
    watch.suspect()
    await clock.advance(0)
    expect(calls.at(-1)).toBe('check@1000')
    expect(states.at(-1)).toBe('out@1000')
  })

  it('takes out one that is silent, though it says that it lives', async () => {
    const { clock, states, watch } = begin()
    await clock.advance(1_000)
    watch.reportSilence()
    expect(states.at(-1)).toBe('out@1000')
    await clock.advance(2_000)
    expect(states.slice(3)).toEqual(['warming@2000', 'up@2000'])
  })

  it('takes out one that refused a session as it would refuse all, and only once', async () => {
    const { clock, states, watch } = begin()
    await clock.advance(1_000)
    watch.refused('It wants another key.')
    watch.refused('It wants another key, says one that is late.')
    expect(watch.health).toMatchObject({ state: 'out', reason: 'It wants another key.' })
    expect(states.slice(2)).toEqual(['out@1000'])
    await clock.advance(2_000)
    expect(states.slice(3)).toEqual(['warming@2000', 'up@2000'])
  })

  it('ends with the reason of its signal, asleep or not', async () => {
    const asleep = begin()
    await asleep.clock.advance(1_000)
    asleep.stop.abort(new Error('stop'))
    expect(await asleep.ended).toEqual(new Error('stop'))
    expect(asleep.clock.sleeping).toBe(0)
    const atOnce = begin()
    atOnce.stop.abort(new Error('stop'))
    expect(await atOnce.ended).toEqual(new Error('stop'))
  })

  it('ends with a bug', async () => {
    const { now, clock, ended } = begin()
    now.examine = () => new TypeError('a bug')
    await clock.advance(1)
    expect(await ended).toEqual(new TypeError('a bug'))
  })
})
