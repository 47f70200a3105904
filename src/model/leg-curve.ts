import { type KvModel, kvBlocksPlanned } from './kv-model.js'
import { stepsToFirstDelta, tailSteps } from './step-law.js'

/** Frames after which no model known holds more blocks: decoder window and tail, twice over. */
const CURVE_FRAMES_MAX = 20_000

/** One step of a staircase. */
export interface BlockStep {
  /** 0-based index of the frame with whose sending the engine may take these blocks. */
  readonly frame: number
  /** How many more than before. */
  readonly blocks: number
}

/**
 * What one leg holds over its life, for one KV model: a rising staircase over its frames, tabled
 * once because plans ask for it thousands of times.
 */
export class LegCurve {
  /** From the opening on, before any audio. */
  readonly openBlocks: number
  readonly steps: readonly BlockStep[]
  /** The same as two columns. */
  readonly stepFrames: Int32Array
  readonly stepBlocks: Int32Array
  private readonly atFrames: Uint16Array
  private readonly stepsBefore: Uint16Array
  private readonly sums: Float64Array

  constructor(model: KvModel) {
    this.openBlocks = kvBlocksPlanned(model, 0)
    const steps: BlockStep[] = []
    this.atFrames = new Uint16Array(CURVE_FRAMES_MAX + 1).fill(this.openBlocks)
    this.sums = new Float64Array(CURVE_FRAMES_MAX + 1)
    let held = this.openBlocks
    for (let frames = 1; frames <= CURVE_FRAMES_MAX; frames += 1) {
      const blocks = kvBlocksPlanned(model, Math.max(0, frames - stepsToFirstDelta()))
      if (blocks > held) steps.push({ frame: frames - 1, blocks: blocks - held })
      held = blocks
      this.atFrames[frames] = held
      this.sums[frames] = (this.sums[frames - 1] ?? 0) + held
    }
    this.steps = steps
    this.stepFrames = Int32Array.from(steps, ({ frame }) => frame)
    this.stepBlocks = Int32Array.from(steps, ({ blocks }) => blocks)
    this.stepsBefore = new Uint16Array(CURVE_FRAMES_MAX + 1)
    for (let frame = 0, step = 0; frame <= CURVE_FRAMES_MAX; frame += 1) {
      this.stepsBefore[frame] = step
      if (steps[step]?.frame === frame) step += 1
    }
  }

  /** Which step is the first one at a frame or after it; as many as there are: none. */
  stepFrom(frame: number): number {
    return this.stepsBefore[Math.min(frame, CURVE_FRAMES_MAX)] as number
  }

  /** Blocks once so many frames were sent, the end of the audio not yet announced. */
  blocksAfter(frames: number): number {
    return this.atFrames[Math.min(frames, CURVE_FRAMES_MAX)] as number
  }

  /** Blocks at the end of a leg of so many frames, its tail computed: the most it ever holds. */
  peakBlocks(frames: number): number {
    return this.blocksAfter(frames + tailSteps())
  }

  /** Block-frames: the sum of the blocks over each of the first frames of a leg. */
  sumUntil(frames: number): number {
    if (frames <= CURVE_FRAMES_MAX) return this.sums[frames] as number
    const last = this.atFrames[CURVE_FRAMES_MAX] as number
    return (this.sums[CURVE_FRAMES_MAX] as number) + (frames - CURVE_FRAMES_MAX) * last
  }
}
