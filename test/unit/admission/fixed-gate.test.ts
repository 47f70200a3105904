import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FixedGate } from '../../../src/admission/fixed-gate.js'
import type { SessionLease } from '../../../src/admission/index.js'
import { ConfigError } from '../../../src/kernel/errors.js'
import { settle } from '../../fakes/step-clock.js'

const open = new AbortController().signal

describe('FixedGate', () => {
  it('grants up to the limit, then waits, first come first served', async () => {
    const gate = new FixedGate({ engines: 1, sessionsMax: 2 })
    const first = await gate.acquire({ jobId: 'a', sessions: 2 }, { signal: open })
    const order: string[] = []
    const second = gate.acquire({ jobId: 'b', sessions: 2 }, { signal: open })
    const third = gate.acquire({ jobId: 'c', sessions: 1 }, { signal: open })
    void second.then(() => order.push('b'))
    void third.then(() => order.push('c'))
    await settle()
    expect(order).toEqual([])
    first[Symbol.dispose]()
    first[Symbol.dispose]()
    const held = await second
    await settle()
    expect(order).toEqual(['b'])
    held[Symbol.dispose]()
    await third
    expect(order).toEqual(['b', 'c'])
  })

  it('spreads sessions over the engines', async () => {
    const gate = new FixedGate({ engines: 2, sessionsMax: 2 })
    const lease = await gate.acquire({ jobId: 'a', sessions: 3 }, { signal: open })
    expect([...lease.engines].sort()).toEqual([0, 0, 1])
    const next = await gate.acquire({ jobId: 'b', sessions: 1 }, { signal: open })
    expect(next.engines).toEqual([1])
  })

  it('refuses what can never fit, and a demand that aborts lets the next one in', async () => {
    const gate = new FixedGate({ engines: 1, sessionsMax: 1 })
    const tooMany = gate.acquire({ jobId: 'a', sessions: 2 }, { signal: open })
    await expect(tooMany).rejects.toBeInstanceOf(ConfigError)
    const held = await gate.acquire({ jobId: 'a', sessions: 1 }, { signal: open })
    const controller = new AbortController()
    const waiting = gate.acquire({ jobId: 'b', sessions: 1 }, { signal: controller.signal })
    const next = gate.acquire({ jobId: 'c', sessions: 1 }, { signal: open })
    const reason = new Error('stop')
    await settle()
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    held[Symbol.dispose]()
    await expect(next).resolves.toMatchObject({ engines: [0] })
  })

  it('lets go of a demand that aborts behind others at once, and grants it nothing later', async () => {
    const gate = new FixedGate({ engines: 1, sessionsMax: 1 })
    const held = await gate.acquire({ jobId: 'a', sessions: 1 }, { signal: open })
    const second = gate.acquire({ jobId: 'b', sessions: 1 }, { signal: open })
    const controller = new AbortController()
    const third = gate.acquire({ jobId: 'c', sessions: 1 }, { signal: controller.signal })
    const reason = new Error('stop')
    controller.abort(reason)
    await expect(third).rejects.toBe(reason)
    held[Symbol.dispose]()
    const next = await second
    next[Symbol.dispose]()
    await settle()
    expect(gate.running).toBe(0)
  })

  it('never holds more than its limit, and nothing at rest, whatever comes in whatever order', async () => {
    const step = fc.record({
      sessions: fc.integer({ min: 1, max: 3 }),
      act: fc.constantFrom('release', 'abort'),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 20 }), async (steps) => {
        const gate = new FixedGate({ engines: 2, sessionsMax: 2 })
        const ends = steps.map(async ({ sessions, act }, index) => {
          const controller = new AbortController()
          const asked = gate.acquire({ jobId: `${index}`, sessions }, { signal: controller.signal })
          if (act === 'abort') {
            await settle()
            controller.abort(new Error('stop'))
          }
          const lease: SessionLease | null = await asked.catch(() => null)
          expect(gate.running).toBeLessThanOrEqual(4)
          await settle()
          lease?.[Symbol.dispose]()
        })
        await Promise.all(ends)
        expect(gate.running).toBe(0)
        await gate.acquire({ jobId: 'last', sessions: 4 }, { signal: open })
      }),
      { numRuns: 40 },
    )
  })
})
