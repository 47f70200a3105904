import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BatchScheduler } from '../../../../gpu/standin/engine/batch-scheduler.js'
import { type KvModel, kvBlocksHeld } from '../../../../src/model/kv-model.js'

const KV: KvModel = {
  blockTokens: 32,
  encoderWindowTokens: 189,
  decoderWindowTokens: 8192,
  decoderBlockRatio: 8,
}

interface Sequence {
  name: string
  deltas: number
}

const sequence = (name: string, deltas = 0): Sequence => ({ name, deltas })

function scheduler({ blocks = 1000, seats = 256 } = {}): BatchScheduler<Sequence> {
  return new BatchScheduler({ kv: KV, kvBlocksUsable: blocks, seqsMax: seats })
}

/** One step of those that are ready. @returns the names of the batch */
function step(engine: BatchScheduler<Sequence>, ready: Sequence[]): string {
  const batch = engine.pick(ready)
  for (const each of batch) each.deltas += 1
  return batch.map(({ name }) => name).join('')
}

/** So many steps of all that are ready. */
function steps(engine: BatchScheduler<Sequence>, ready: Sequence[], count: number): void {
  for (let index = 0; index < count; index += 1) step(engine, ready)
}

describe('the batch of a step', () => {
  it('has everybody while there is room, newcomers after the others', () => {
    const engine = scheduler()
    const [a, b, c] = [sequence('a'), sequence('b'), sequence('c')]
    expect(step(engine, [b, a])).toBe('ba')
    expect(step(engine, [c, a, b])).toBe('bac')
    expect(step(engine, [a])).toBe('a')
    expect(step(engine, [a, b, c])).toBe('bca')
    expect(engine.kvBlocksHeld).toBe(9)
  })

  it('leaves newcomers out beyond the seats, in order, until somebody is released', () => {
    const engine = scheduler({ seats: 2 })
    const [a, b, c, d] = [sequence('a'), sequence('b'), sequence('c'), sequence('d')]
    expect(step(engine, [a, b, c, d])).toBe('ab')
    expect([engine.holding, engine.waiting]).toEqual([2, 2])
    expect(step(engine, [d, c])).toBe('')
    expect(engine.deadlocks).toBe(0)
    engine.release(a)
    expect(step(engine, [d, c, b])).toBe('bc')
    engine.release(c)
    engine.release(c)
    expect(step(engine, [d])).toBe('d')
    expect([engine.holding, engine.waiting]).toEqual([2, 0])
  })

  it('stops at a newcomer whose first blocks are not there, which holds up newcomers only', () => {
    const engine = scheduler({ blocks: 7 })
    const [a, b, c] = [sequence('a'), sequence('b'), sequence('c')]
    expect(step(engine, [a, b])).toBe('ab')
    expect(step(engine, [a, b, c])).toBe('ab')
    expect(step(engine, [c])).toBe('')
    expect([engine.waiting, engine.deadlocks]).toEqual([1, 0])
    engine.release(a)
    expect(step(engine, [c, b])).toBe('bc')
  })
})

describe('a full cache', () => {
  // Seen on a running vLLM 0.32: seven sessions with all their audio on 39 blocks of 32 tokens.
  it('stops all seven as vLLM stopped them, and goes on when one is released', () => {
    const engine = scheduler({ blocks: 39 })
    const all = Array.from('abcdefg', (name) => sequence(name))
    steps(engine, all, 200)
    expect(all.map(({ deltas }) => deltas)).toEqual([91, 91, 91, 91, 90, 90, 90])
    expect([engine.kvBlocksHeld, engine.deadlocks]).toEqual([39, 1])

    const newcomer = sequence('h')
    const rest = [...all.slice(1), newcomer]
    steps(engine, rest, 3)
    expect([newcomer.deltas, engine.waiting, engine.deadlocks]).toEqual([0, 1, 1])
    engine.release(all[0] as Sequence)
    steps(engine, rest, 200)
    expect(rest.map(({ deltas }) => deltas)).toEqual([118, 118, 118, 117, 117, 117, 26])
    expect([engine.kvBlocksHeld, engine.kvBlocksHeldMax, engine.deadlocks]).toEqual([39, 39, 2])
  })

  it('lets who is in front of the blocked one step once more, and nobody behind it', () => {
    const engine = scheduler({ blocks: 8 })
    const [a, b] = [sequence('a'), sequence('b')]
    steps(engine, [a, b], 26)
    expect(engine.kvBlocksHeld).toBe(8 - 2)
    step(engine, [b])
    step(engine, [a])
    expect([a.deltas, b.deltas, engine.kvBlocksHeld]).toEqual([27, 27, 8])
    steps(engine, [b, a], 31)
    expect([a.deltas, b.deltas]).toEqual([58, 58])
    expect(step(engine, [a])).toBe('')
    expect(engine.deadlocks).toBe(1)
  })

  it('never gives out more than there is, and always what the law says', () => {
    const moves = fc.array(
      fc.record({ of: fc.nat(7), release: fc.boolean(), ready: fc.array(fc.nat(7)) }),
      { minLength: 50, maxLength: 400 },
    )
    fc.assert(
      fc.property(moves, fc.integer({ min: 8, max: 40 }), (script, blocks) => {
        const engine = scheduler({ blocks, seats: 6 })
        const all = Array.from('abcdefgh', (name) => sequence(name))
        for (const { of, release, ready } of script) {
          const picked = [...new Set(ready)].flatMap((index) => all[index] ?? [])
          steps(engine, picked, 10)
          const leaving = all[of]
          if (release && leaving) {
            engine.release(leaving)
            leaving.deltas = 0
          }
          const held = all.reduce((sum, { deltas }) => sum + kvBlocksHeld(KV, deltas), 0)
          expect(engine.kvBlocksHeld).toBe(held)
          expect(engine.kvBlocksHeldMax).toBeLessThanOrEqual(blocks)
          expect(engine.holding).toBe(all.filter(({ deltas }) => deltas > 0).length)
          expect(engine.holding).toBeLessThanOrEqual(6)
        }
      }),
      { numRuns: 60 },
    )
  })
})
