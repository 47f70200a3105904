import { describe, expect, it } from 'vitest'
import { StopRequested } from '../../../../src/kernel/errors.js'
import { replayLanes } from '../../../../src/pipeline/replay/replay-lanes.js'
import { allWords, CarryBench, FRAMES, type Trouble, wordsOf } from '../replay-bench.js'

/** Carries two lanes from their beginnings; even sessions are those of the first one. */
async function carry(
  trouble: Readonly<Record<number, Trouble>>,
  assertOwned: () => Promise<void> = async () => {},
) {
  const bench = new CarryBench()
  bench.trouble = trouble
  const ports = bench.ports()
  const lanes = [0, 1].map((lane) => ({
    chain: bench.chain(lane),
    start: {
      ...{ lane, cuts: bench.cuts, fromFrame: 0, framesLeft: FRAMES, doneMs: 0 },
      progress: bench.progress(lane),
    },
  }))
  const starts = lanes.map(({ start }) => start)
  const progress = starts.map((start) => start.progress)
  const writer = bench.writer(progress, assertOwned)
  const work = bench.work(new AbortController().signal)
  const carrying = replayLanes(ports, work, { starts, lanes, writer })
  const error = await bench.clock.run(carrying).then(
    () => null,
    (thrown: unknown) => thrown,
  )
  const { chains } = await bench.admission.read('gpu')
  return { error, chains, carried: progress.map((lane) => lane.completed) }
}

describe('the lanes of a job', () => {
  it('are carried side by side, each with every word once', async () => {
    const { error, chains, carried } = await carry({})
    expect(error).toBeNull()
    expect(carried.map(wordsOf)).toEqual([allWords(), allWords()])
    expect(carried.map(({ channel }) => channel)).toEqual([0, 1])
    expect(chains).toEqual([])
  })

  it('stop with the first one that fails, and hold nothing', async () => {
    const fails = new TypeError('not a function')
    const { error, chains, carried } = await carry({ 1: { afterFrames: 300, fails } })
    expect(error).toBe(fails)
    expect(carried[0]?.legs.at(-1)?.cut).not.toBe('end')
    expect(chains).toEqual([])
  })

  it('stop when the job is found to be another worker’s', async () => {
    const lost = new StopRequested('internal', 'The job is another worker’s.')
    const { error, chains, carried } = await carry({}, () => Promise.reject(lost))
    expect(error).toBe(lost)
    expect(carried.flatMap(({ legs }) => legs)).toEqual([])
    expect(chains).toEqual([])
  })
})
