import { describe, expect, it } from 'vitest'
import { BatchScheduler } from '../../../../gpu/standin/engine/batch-scheduler.js'
import { scaledClock } from '../../../../gpu/standin/engine/scaled-clock.js'
import { StepLoop, type Stepper } from '../../../../gpu/standin/engine/step-loop.js'
import type { StepModel } from '../../../../src/model/step-model.js'
import { StepClock, settle } from '../../../fakes/step-clock.js'

const KV = {
  blockTokens: 16,
  encoderWindowTokens: 189,
  decoderWindowTokens: 8192,
  decoderBlockRatio: 8,
}
const MODEL: StepModel = { baseMs: 10, perSessionMs: 2, perFrameMs: 0.5 }

class FakeSession implements Stepper {
  deltas = 0
  frames = 0
  readonly stepEnds: number[] = []
  private readonly clock: StepClock

  constructor(clock: StepClock) {
    this.clock = clock
  }

  prepare(): boolean {
    return this.deltas < this.frames
  }

  advance(): void {
    this.deltas += 1
    this.stepEnds.push(this.clock.monotonicMs())
  }
}

function engineOf(stepModel: StepModel | null, { kvBlocks = 1000, scale = 1 } = {}) {
  const clock = new StepClock()
  const scheduler = new BatchScheduler<Stepper>({ kv: KV, kvBlocksUsable: kvBlocks, seqsMax: 100 })
  const loop = new StepLoop({
    scheduler,
    stepModel,
    clock: scaledClock(clock, scale),
    defer: queueMicrotask,
  })
  const feed = (session: FakeSession, frames: number) => {
    session.frames += frames
    loop.wake(session)
  }
  return { clock, loop, feed, session: () => new FakeSession(clock) }
}

describe('steps that take time', () => {
  it('cost the base, and for each session its share and its age', async () => {
    const { clock, feed, session } = engineOf(MODEL)
    const [a, b] = [session(), session()]
    feed(a, 3)
    feed(b, 1)
    await clock.advance(1000)
    // Both: 10 + 2 * 2. Then a alone: 10 + 2 + 0.5, and 10 + 2 + 1.
    expect(a.stepEnds).toEqual([14, 26.5, 39.5])
    expect(b.stepEnds).toEqual([14])
  })

  it('are taken together by all who became ready during the last one', async () => {
    const { clock, loop, feed, session } = engineOf({ ...MODEL, perFrameMs: 0 })
    const [a, b, c] = [session(), session(), session()]
    feed(a, 1)
    await clock.advance(5)
    expect(loop.running).toBe(1)
    feed(b, 1)
    feed(c, 1)
    await clock.advance(100)
    expect([a.stepEnds, b.stepEnds, c.stepEnds]).toEqual([[12], [26], [26]])
    expect(loop.running).toBe(0)
  })

  it('fall behind when they take longer than audio does, by as much as they do', async () => {
    const { clock, feed, session } = engineOf({ baseMs: 98, perSessionMs: 2, perFrameMs: 0 })
    const a = session()
    for (let frame = 0; frame < 100; frame += 1) {
      feed(a, 1)
      await clock.advance(80)
    }
    expect(a.deltas).toBe(80)
  })

  it('begin anew after a pause', async () => {
    const { clock, feed, session } = engineOf({ ...MODEL, perFrameMs: 0 })
    const a = session()
    feed(a, 1)
    await clock.advance(500)
    feed(a, 1)
    await clock.advance(500)
    expect(a.stepEnds).toEqual([12, 512])
  })

  it('pass so many times as fast on a scaled clock', async () => {
    const { clock, feed, session } = engineOf({ ...MODEL, perFrameMs: 0 }, { scale: 4 })
    const a = session()
    feed(a, 2)
    await clock.advance(100)
    expect(a.stepEnds).toEqual([3, 6])
  })

  it('give nothing to a session that has ended meanwhile', async () => {
    const { clock, loop, feed, session } = engineOf(MODEL)
    const [a, b] = [session(), session()]
    feed(a, 2)
    feed(b, 2)
    await clock.advance(5)
    loop.forget(a)
    await clock.advance(100)
    expect([a.deltas, b.deltas]).toEqual([0, 2])
  })

  it('end with the engine', async () => {
    const { clock, loop, feed, session } = engineOf(MODEL)
    const a = session()
    feed(a, 2)
    await clock.advance(5)
    loop.stop()
    feed(a, 2)
    await clock.advance(100)
    expect([a.deltas, clock.sleeping]).toEqual([0, 0])
  })
})

describe('steps that take no time', () => {
  it('are all taken at once', async () => {
    const { loop, feed, session } = engineOf(null)
    const [a, b] = [session(), session()]
    feed(a, 50)
    feed(b, 20)
    await settle()
    expect([a.deltas, b.deltas, loop.running]).toEqual([50, 20, 0])
  })

  it('go on when a session that held blocks is gone', async () => {
    const { loop, feed, session } = engineOf(null, { kvBlocks: 9 })
    const [a, b] = [session(), session()]
    feed(a, 30)
    feed(b, 30)
    await settle()
    expect([a.deltas, b.deltas]).toEqual([11, 10])
    loop.forget(a)
    await settle()
    expect(b.deltas).toBe(30)
  })
})
