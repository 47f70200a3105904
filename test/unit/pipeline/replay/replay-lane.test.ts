import { AssertionError } from 'node:assert'
import { describe, expect, it } from 'vitest'
import { CapacityError, StopRequested, UpstreamError } from '../../../../src/kernel/errors.js'
import { STEP_MS } from '../../../../src/model/pcm.js'
import { LiveReport } from '../../../../src/pipeline/replay/live-report.js'
import { replayLane } from '../../../../src/pipeline/replay/replay-lane.js'
import { TextLeftOut } from '../../../../src/realtime/session-failure.js'
import { allWords, CarryBench, FRAMES, type Trouble, wordsOf } from '../replay-bench.js'

const broke = new UpstreamError('engine_crashed', 'It broke.')

/** Carries one lane from its beginning, with this trouble by the number of the session. */
async function carry(
  trouble: Readonly<Record<number, Trouble>> = {},
  options: { bench?: CarryBench; pace?: number | 'max'; stop?: AbortController } = {},
) {
  const { bench = new CarryBench(), pace = 1, stop = new AbortController() } = options
  bench.trouble = trouble
  const ports = bench.ports()
  const progress = bench.progress()
  const live = new LiveReport(ports, { jobId: 'j', audioMs: FRAMES * STEP_MS, doneMs: [0] })
  const work = bench.work(stop.signal, pace)
  const flac = { key: 'a', bytes: 1, etag: 'e', versionId: null, modifiedMs: 0 }
  let told = 0
  const request = {
    ...{ work, flac, lane: 0, chain: bench.chain(0, pace === 'max' ? 0 : pace), live, progress },
    cuts: bench.cuts,
    onProgress: () => {
      told += 1
    },
  }
  const carrying = bench.clock.run(replayLane(ports, request, stop.signal))
  const error = await carrying.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  const lane = progress.completed
  return { bench, lane, legs: lane.legs, error, told, opened: bench.sessions }
}

describe('a lane', () => {
  it('is carried leg by leg, with every word once, and says who carried it', async () => {
    const { bench, lane, legs, error, told } = await carry()
    expect(error).toBeNull()
    expect(wordsOf(lane)).toEqual(allWords())
    expect(legs.length).toBeGreaterThan(1)
    expect(legs.at(-1)).toMatchObject({ endFrame: FRAMES, cut: 'end', verified: true, attempt: 3 })
    for (const [at, { fromFrame, engine, lanesRunning }] of legs.entries()) {
      expect(fromFrame).toBe(legs[at - 1]?.nextFrame ?? 0)
      expect(engine).toEqual({ model: 'm', version: '1', isStandin: true })
      expect(lanesRunning).toBe(1)
    }
    expect(bench.tally).toEqual({ rotations: legs.length - 1, reconnects: 0, redoneMs: 0 })
    expect(told).toBeGreaterThan(FRAMES)
  })

  it('asks for as much patience as the engine needs, and tells speech by the map', async () => {
    const { opened } = await carry()
    const [first] = opened
    expect(first?.request.limits).toEqual({ deltaDelayMs: 120, blankSpeechMaxMs: 8_000 })
    expect(first?.request).toMatchObject({ pace: 1, mayEndShort: false, lagMaxMs: 4_000 })
    expect(first?.request.isExcused()).toBe(false)
    const last = opened.at(-1)?.request
    const lastMs = FRAMES * STEP_MS - (last?.legStartMs ?? 0)
    expect([last?.speechAt(0), last?.speechAt(lastMs)]).toEqual([true, false])
  })

  it('without a pace says nothing of how far an engine is behind', async () => {
    const paced = await carry()
    expect(new Set(paced.bench.lags)).toEqual(new Set([0]))
    const { bench, lane } = await carry({}, { pace: 'max' })
    expect(wordsOf(lane)).toEqual(allWords())
    expect(new Set(bench.lags)).toEqual(new Set([null]))
  })
})

describe('a leg whose session breaks', () => {
  it('goes on from its last safe pause, and only what came after is sent again', async () => {
    const { bench, lane, legs, opened } = await carry({ 0: { afterFrames: 450, fails: broke } })
    expect(wordsOf(lane)).toEqual(allWords())
    expect(opened.slice(0, 2).map(({ fromFrame }) => fromFrame)).toEqual([0, 400])
    expect(legs[0]).toMatchObject({ endFrame: 400, nextFrame: 400, cut: 'pause', deltas: 400 })
    expect(bench.tally).toMatchObject({ reconnects: 1, redoneMs: 50 * STEP_MS })
    expect(bench.suspects).toEqual([broke])
    expect(bench.notes).toEqual([
      { kind: 'session-broke', engine: 'gpu:1', code: 'engine_crashed', times: 1 },
    ])
  })

  it('begins anew where nothing of it is safe, its audio read anew from there', async () => {
    const { bench, lane, opened } = await carry({ 0: { afterFrames: 90, fails: broke } })
    expect(wordsOf(lane)).toEqual(allWords())
    expect(opened.slice(0, 2).map(({ fromFrame }) => fromFrame)).toEqual([0, 0])
    expect(bench.decoded.slice(0, 2)).toEqual([0, 0])
  })

  it('waits its turn: doubled with every failure, until the attempt fails', async () => {
    const trouble = Object.fromEntries(
      [0, 1, 2, 3, 4].map((at) => [at, { afterFrames: 20, fails: broke }]),
    )
    const { bench, error, legs } = await carry(trouble)
    expect(error).toBe(broke)
    expect(legs).toEqual([])
    expect(bench.sessions).toHaveLength(5)
    // The last failure isn't followed by another try.
    expect(bench.tally.reconnects).toBe(4)
    expect(bench.clock.monotonicMs()).toBeGreaterThan(5_000 + 10_000 + 20_000 + 40_000)
  })

  it('keeps nothing after its last text where it stood still: that may have been a rut', async () => {
    const stalled = new UpstreamError('session_stalled', 'Nothing more came.')
    const rut = { afterFrames: 550, deafFrom: 330 }
    const kept = await carry({ 0: { ...rut, fails: stalled } })
    expect(kept.legs[0]).toMatchObject({ endFrame: 300 })
    expect(wordsOf(kept.lane)).toEqual(allWords())
    const crashed = await carry({ 0: { ...rut, fails: broke } })
    expect(crashed.legs[0]?.endFrame).toBe(500)
    expect(wordsOf(crashed.lane)).toEqual(allWords([330, 500]))
  })

  it('is taken as it comes when text is left out again at the same place', async () => {
    const fails = new TextLeftOut('tail', 'The end is missing.', {})
    const { opened } = await carry({ 0: { afterFrames: 450, fails } })
    const asked = opened.map(({ request: { mayEndShort, limits } }) => {
      return [mayEndShort, limits.blankSpeechMaxMs]
    })
    expect(asked.slice(0, 2)).toEqual([
      [false, 8_000],
      [true, null],
    ])
    expect(new Set(asked.slice(2).map(String))).toEqual(new Set(['false,8000']))
  })

  it('comes back after half a minute when it was closed for the others, and is no break', async () => {
    const { bench, lane, opened } = await carry({ 0: { afterFrames: 450, fails: 'freed' } })
    expect(wordsOf(lane)).toEqual(allWords())
    expect(opened[1]?.fromFrame).toBe(400)
    expect(bench.tally).toMatchObject({ reconnects: 0, redoneMs: 50 * STEP_MS })
    expect(bench.suspects).toEqual([])
    expect(bench.notes).toEqual([{ kind: 'session-evicted', engine: 'gpu:1', times: 1 }])
  })

  it('is carried again although the board is away', async () => {
    const bench = new CarryBench()
    bench.isJobStoreAway = true
    const { lane, error } = await carry({ 0: { afterFrames: 450, fails: broke } }, { bench })
    expect(error).toBeNull()
    expect(wordsOf(lane)).toEqual(allWords())
  })
})

describe('a lane is given up', () => {
  it('when no engine is up: its job waits in the queue, with what is safe', async () => {
    const bench = new CarryBench()
    bench.outage = 'All are out.'
    const { error, legs } = await carry({ 0: { afterFrames: 450, fails: broke } }, { bench })
    expect(error).toBeInstanceOf(CapacityError)
    expect(legs).toMatchObject([{ endFrame: 400 }])
  })

  it('by a bug, which no other session would mend', async () => {
    const fails = new TypeError('not a function')
    const { error, bench } = await carry({ 0: { afterFrames: 450, fails } })
    expect(error).toBe(fails)
    expect(bench.suspects).toEqual([])
  })

  it('when a session ends without having been sent all of its audio', async () => {
    const { error } = await carry({ 0: { missing: 1_280 } })
    expect(error).toBeInstanceOf(AssertionError)
  })

  it('when its job is stopped, with the legs that were complete', async () => {
    const stop = new AbortController()
    const reason = new StopRequested('canceled', 'Stop.')
    const bench = new CarryBench()
    const later = bench.clock.sleepUntil(100_000, stop)
    void later.then(() => stop.abort(reason))
    const { error, lane } = await carry({}, { bench, stop })
    expect(error).toBe(reason)
    expect(wordsOf(lane).length).toBeLessThan(allWords().length)
    expect((await bench.admission.read('gpu')).chains).toEqual([])
  })
})
