import { describe, expect, it } from 'vitest'
import type { RunningChild } from '../../../../src/cli/stack/child-process.js'
import { SupervisedWorker } from '../../../../src/cli/stack/supervised-worker.js'
import { StepClock } from '../../../fakes/step-clock.js'

type Death = Awaited<RunningChild['exited']>

/** Workers that live as long as they are let, and what they were told. */
function fakeWorkers() {
  const told: string[] = []
  const deaths: ((death: Death) => void)[] = []
  const start = async (): Promise<RunningChild> => {
    const pid = deaths.length + 1
    const exited = new Promise<Death>((resolve) => deaths.push(resolve))
    const end = (how: string) => {
      told.push(`${how} ${pid}`)
      deaths[pid - 1]?.({ code: 0, signal: null })
    }
    return {
      ...{ pid, ready: {}, exited },
      drain: () => end('drain'),
      abort: () => end('abort'),
      [Symbol.asyncDispose]: async () => end('dispose'),
    }
  }
  return {
    told,
    start,
    started: () => deaths.length,
    die: (death: Death) => deaths.at(-1)?.(death),
  }
}

async function keep() {
  const workers = fakeWorkers()
  const clock = new StepClock()
  const kept = await SupervisedWorker.start({ start: workers.start, clock, logPath: 'worker.log' })
  const ends: unknown[] = []
  kept.broken.catch((error) => ends.push(error))
  return { ...workers, clock, kept, ends }
}

const KILLED: Death = { code: null, signal: 'SIGKILL' }

describe('a worker that is kept', () => {
  it.each([
    ['is killed', KILLED],
    ['has met a bug', { code: 70, signal: null }],
    ['has crashed', { code: 1, signal: null }],
  ])('is started again when it %s', async (_, death) => {
    const { clock, kept, started, die, ends } = await keep()
    await clock.advance(60_000)
    die(death)
    await clock.advance(1_000)
    expect([started(), kept.pid, ends]).toEqual([2, 2, []])
  })

  it('is not when it says that it can not run', async () => {
    const { clock, started, die, ends } = await keep()
    await clock.advance(60_000)
    die({ code: 2, signal: null })
    await clock.advance(1_000)
    expect(started()).toBe(1)
    expect(ends).toMatchObject([
      { code: 'internal', message: expect.stringMatching(/exit code 2.*worker\.log/) },
    ])
  })

  it('is given up after five lives in a row that were too short to be of use', async () => {
    const { clock, started, die, ends } = await keep()
    for (let life = 0; life < 4; life += 1) {
      die(KILLED)
      await clock.advance(1_000)
    }
    expect([started(), ends]).toEqual([5, []])
    await clock.advance(60_000)
    die(KILLED) // a long one: counted from the beginning again
    for (let life = 0; life < 5; life += 1) {
      await clock.advance(1_000)
      die(KILLED)
    }
    await clock.advance(1_000)
    expect(started()).toBe(10)
    expect(ends).toHaveLength(1)
  })

  it('is not given up for bugs, each of which has cost one recording', async () => {
    const { clock, started, die, ends } = await keep()
    for (let life = 0; life < 20; life += 1) {
      die({ code: 70, signal: null })
      await clock.advance(1_000)
    }
    expect([started(), ends]).toEqual([21, []])
  })

  it('ends when it is told to, and stays so', async () => {
    const { clock, kept, told, started, ends } = await keep()
    await kept.stop('drain')
    await clock.advance(60_000)
    expect([told, started(), ends]).toEqual([['drain 1'], 1, []])
  })

  it('is not started again when it is told to stop in between', async () => {
    const { clock, kept, started, die } = await keep()
    die(KILLED)
    await Promise.resolve()
    await kept.stop('abort')
    await clock.advance(60_000)
    expect(started()).toBe(1)
  })
})
