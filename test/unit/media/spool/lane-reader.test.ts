import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { LegRange, LegReader, MediaSource, SpooledLeg } from '../../../../src/media/index.js'
import {
  openLane,
  STEP_BACK_FRAMES,
  STRETCH_FRAMES,
} from '../../../../src/media/spool/lane-reader.js'
import { SpoolBudget } from '../../../../src/media/spool/spool-budget.js'
import { FRAME_BYTES, SAMPLE_BYTES, STEP_SAMPLES } from '../../../../src/model/pcm.js'

const never = { signal: new AbortController().signal }
const turn = () => new Promise((resolve) => setImmediate(resolve))
const flac: MediaSource = {
  name: 'audio.flac',
  bytes: 1,
  read: () => Promise.reject(new Error('only the reader reads it')),
}

/** A frame that says which one it is, as long as it is in a lane of so many samples. */
function frameOf(index: number, samples: number): Buffer {
  const bytes = Math.min(FRAME_BYTES, samples * SAMPLE_BYTES - index * FRAME_BYTES)
  return Buffer.alloc(bytes, `${index};`)
}

/** Stretches in memory, in a spool with room for so many whole ones; tells what became of them. */
class MemoryReader implements LegReader {
  readonly opened: LegRange[] = []
  /** What the opening of each stretch waits for, by its number; absent for nothing. */
  readonly gates = new Map<number, Promise<void>>()
  openNow = 0
  private readonly samples: number
  private readonly budget: SpoolBudget

  constructor(samples: number, stretchesMax = 100) {
    this.samples = samples
    this.budget = new SpoolBudget(stretchesMax * STRETCH_FRAMES * FRAME_BYTES)
  }

  get bytesUsed(): number {
    return this.budget.bytesUsed
  }

  async openLeg(_: MediaSource, range: LegRange, options: typeof never): Promise<SpooledLeg> {
    const number = this.opened.push(range) - 1
    const samples = range.endSample - range.startSample
    const room = await this.budget.reserve(samples * SAMPLE_BYTES, options)
    try {
      await this.gates.get(number)
      options.signal.throwIfAborted()
    } catch (error) {
      room[Symbol.dispose]()
      throw error
    }
    this.openNow += 1
    return this.leg(range.startSample / STEP_SAMPLES, samples, room)
  }

  private leg(fromFrame: number, samples: number, room: Disposable): SpooledLeg {
    const frameCount = Math.ceil(samples / STEP_SAMPLES)
    const readFrame = async (index: number): Promise<Uint8Array> => {
      if (index < 0 || index >= frameCount) throw new RangeError(`no frame ${index}`)
      return frameOf(fromFrame + index, this.samples)
    }
    return {
      samples,
      frameCount,
      readFrame,
      async *frames() {
        for (let index = 0; index < frameCount; index += 1) yield await readFrame(index)
      },
      [Symbol.asyncDispose]: async () => {
        await turn()
        this.openNow -= 1
        room[Symbol.dispose]()
      },
    }
  }
}

const FRAMES = 4 * STRETCH_FRAMES + 100
const SAMPLES = FRAMES * STEP_SAMPLES - 500
const laneOf = (reader: LegReader, fromFrame = 0, signal = never.signal) =>
  openLane({ reader, flac, lane: 0, samples: SAMPLES }, { fromFrame, signal })
const fromFrames = (reader: MemoryReader) =>
  reader.opened.map(({ startSample }) => startSample / STEP_SAMPLES)

describe('openLane', () => {
  it('gives every frame from any one on, the last one shorter', async () => {
    const reader = new MemoryReader(SAMPLES)
    await using lane = laneOf(reader, 37)
    expect(lane.frameCount).toBe(FRAMES)
    for (let index = 37; index < FRAMES; index += 1) {
      const frame = await lane.frame(index, never)
      expect(frameOf(index, SAMPLES).equals(frame)).toBe(true)
    }
    expect(fromFrames(reader)).toEqual([0, 1, 2, 3, 4].map((n) => 37 + n * STRETCH_FRAMES))
    expect(reader.opened.at(-1)?.endSample).toBe(SAMPLES)
    await expect(lane.frame(FRAMES, never)).rejects.toThrow(`of ${FRAMES} frames`)
  })

  it('decodes ahead in the second half of a stretch, and holds no more than that', async () => {
    const reader = new MemoryReader(SAMPLES)
    await using lane = laneOf(reader)
    await lane.frame(STRETCH_FRAMES / 2 - 1, never)
    expect(fromFrames(reader)).toEqual([0])
    await lane.frame(STRETCH_FRAMES / 2, never)
    await lane.frame(STRETCH_FRAMES - 1, never)
    expect(fromFrames(reader)).toEqual([0, STRETCH_FRAMES])
    await lane.frame(STRETCH_FRAMES, never)
    await turn()
    expect(reader.openNow).toBe(1)
  })

  it('steps back 2 s, over the end of a stretch too, and no further', async () => {
    const reader = new MemoryReader(SAMPLES)
    await using lane = laneOf(reader, 10)
    await expect(lane.frame(9, never)).rejects.toBeInstanceOf(RangeError)
    const furthest = 10 + STRETCH_FRAMES + 3
    for (let index = 10; index <= furthest; index += 1) await lane.frame(index, never)
    await turn()
    for (let index = furthest - STEP_BACK_FRAMES; index <= furthest; index += 1) {
      expect(frameOf(index, SAMPLES).equals(await lane.frame(index, never))).toBe(true)
    }
    const past = lane.frame(furthest - STEP_BACK_FRAMES - 1, never)
    await expect(past).rejects.toThrow(`no longer held: frame ${furthest} was read`)
  })

  it('serves two legs at once around a cut', async () => {
    const reader = new MemoryReader(SAMPLES)
    await using lane = laneOf(reader)
    for (let index = 0; index < STRETCH_FRAMES + 100; index += 1) {
      const wanted = index < 700 ? [index] : [index, index - STEP_BACK_FRAMES]
      const frames = await Promise.all(wanted.map((one) => lane.frame(one, never)))
      for (const [at, one] of wanted.entries()) {
        expect(frameOf(one, SAMPLES).equals(frames[at] as Uint8Array)).toBe(true)
      }
    }
  })

  it('has the end of a stretch for a leg that has not come as far as the next one', async () => {
    const reader = new MemoryReader(SAMPLES)
    await using lane = laneOf(reader)
    await lane.frame(STRETCH_FRAMES - 12, never)
    await lane.frame(STRETCH_FRAMES, never)
    for (let index = STRETCH_FRAMES - 11; index < STRETCH_FRAMES; index += 1) {
      expect(frameOf(index, SAMPLES).equals(await lane.frame(index, never))).toBe(true)
    }
    await turn()
    expect(reader.openNow).toBe(1)
  })

  it('answers everything that was asked for before it moved on', async () => {
    const reader = new MemoryReader(SAMPLES)
    await using lane = laneOf(reader)
    const wanted = [0, 400, STRETCH_FRAMES - 1, STRETCH_FRAMES, 3 * STRETCH_FRAMES]
    const frames = await Promise.all(wanted.map((index) => lane.frame(index, never)))
    for (const [at, index] of wanted.entries()) {
      expect(frameOf(index, SAMPLES).equals(frames[at] as Uint8Array)).toBe(true)
    }
  })

  it('leaves out what is skipped, be it a stretch that was read ahead', async () => {
    const reader = new MemoryReader(SAMPLES)
    await using lane = laneOf(reader)
    await lane.frame(STRETCH_FRAMES / 2 + 1, never)
    const far = 2 * STRETCH_FRAMES + 50
    expect(frameOf(far, SAMPLES).equals(await lane.frame(far, never))).toBe(true)
    expect(fromFrames(reader)).toEqual([0, STRETCH_FRAMES, far])
    await turn()
    expect(reader.openNow).toBe(1)
    await expect(lane.frame(far - 3, never)).rejects.toBeInstanceOf(RangeError)
  })

  it('tells a failure of what was read ahead when that is read', async () => {
    const reader = new MemoryReader(SAMPLES)
    const broken = new Error('the store is gone')
    reader.gates.set(1, Promise.reject(broken))
    await using lane = laneOf(reader)
    for (let index = 0; index < STRETCH_FRAMES; index += 1) await lane.frame(index, never)
    await expect(lane.frame(STRETCH_FRAMES, never)).rejects.toBe(broken)
    await expect(lane.frame(STRETCH_FRAMES + 1, never)).rejects.toBe(broken)
    await lane[Symbol.asyncDispose]()
    expect(reader.bytesUsed).toBe(0)
  })

  it('lets a reader go that stops waiting, and is none the worse for it', async () => {
    const reader = new MemoryReader(SAMPLES)
    let open = () => {}
    reader.gates.set(0, new Promise((resolve) => (open = resolve)))
    await using lane = laneOf(reader)
    const stop = new AbortController()
    const stopped = lane.frame(0, { signal: stop.signal })
    stop.abort(new Error('stopped by the test'))
    await expect(stopped).rejects.toThrow('stopped by the test')
    open()
    expect(frameOf(0, SAMPLES).equals(await lane.frame(0, never))).toBe(true)
  })

  it.each(['while it is decoded', 'once it is there'])(
    'gives all back when it is stopped %s',
    async (when) => {
      const reader = new MemoryReader(SAMPLES)
      let open = () => {}
      reader.gates.set(1, new Promise((resolve) => (open = resolve)))
      const stop = new AbortController()
      const lane = laneOf(reader, 0, stop.signal)
      await lane.frame(400, never)
      if (when === 'once it is there') open()
      await turn()
      stop.abort(new Error('all stop'))
      await expect(lane.frame(401, never)).rejects.toThrow('all stop')
      open()
      await lane[Symbol.asyncDispose]()
      await lane[Symbol.asyncDispose]()
      expect([reader.openNow, reader.bytesUsed]).toEqual([0, 0])
      expect(() => laneOf(reader, 0, stop.signal)).toThrow('all stop')
    },
  )

  it('is closed after it was disposed of, be it before its first frame was there', async () => {
    const reader = new MemoryReader(SAMPLES)
    reader.gates.set(0, new Promise((resolve) => setImmediate(resolve)))
    const lane = laneOf(reader)
    const frame = lane.frame(0, never)
    frame.catch(() => {}) // looked at below
    await lane[Symbol.asyncDispose]()
    expect([reader.openNow, reader.bytesUsed]).toEqual([0, 0])
    await expect(frame).rejects.toMatchObject({ name: 'AbortError' })
    await expect(lane.frame(0, never)).rejects.toThrow(/lane 0 is closed/)
  })

  it.each([-1, 0.5, FRAMES])('refuses to begin with frame %f', (fromFrame) => {
    expect(() => laneOf(new MemoryReader(SAMPLES), fromFrame)).toThrow(RangeError)
  })

  it('locks nobody out where there is hardly any room', async () => {
    // Two stretches for five lanes: each waits for others, and all come to their end.
    const reader = new MemoryReader(SAMPLES, 2)
    const counts = await Promise.all(
      Array.from({ length: 5 }, async () => {
        await using lane = laneOf(reader)
        let count = 0
        for (let index = 0; index < FRAMES; index += 1) {
          const frame = await lane.frame(index, never)
          if (frameOf(index, SAMPLES).equals(frame)) count += 1
        }
        return count
      }),
    )
    expect(counts).toEqual([FRAMES, FRAMES, FRAMES, FRAMES, FRAMES])
    expect([reader.openNow, reader.bytesUsed]).toEqual([0, 0])
  })

  it('gives the right frame whatever way it is read', async () => {
    const moves = fc.array(
      fc.oneof(
        { weight: 4, arbitrary: fc.integer({ min: 1, max: 60 }) },
        { weight: 2, arbitrary: fc.integer({ min: -STEP_BACK_FRAMES, max: 0 }) },
        { weight: 1, arbitrary: fc.integer({ min: 1, max: 1_500 }) },
      ),
      { maxLength: 60 },
    )
    const run = fc.asyncProperty(moves, fc.nat(FRAMES - 1), async (steps, fromFrame) => {
      const reader = new MemoryReader(SAMPLES)
      await using lane = laneOf(reader, fromFrame)
      const read = new Set<number>()
      let furthest = fromFrame
      for (const step of [0, ...steps]) {
        const index = furthest + step
        if (index >= FRAMES || (step < 0 && !read.has(index))) continue
        expect(frameOf(index, SAMPLES).equals(await lane.frame(index, never))).toBe(true)
        read.add(index)
        furthest = Math.max(furthest, index)
      }
      await lane[Symbol.asyncDispose]()
      expect([reader.openNow, reader.bytesUsed]).toEqual([0, 0])
    })
    await fc.assert(run, { numRuns: 100 })
  })
})
