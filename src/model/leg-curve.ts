import { type KvModel, kvBlocksPlanned } from './kv-model.js'
import { stepsToFirstDelta, tailSteps } from './step-law.js'

/**
 * Length of the table in frames: about twice the decoder's window, after which no block is added.
 */
const CURVE_FRAMES_MAX = 20_000

/** One rise in the number of blocks that a leg holds. */
export interface BlockStep {
  /** 0-based index of the frame: from its sending on the engine may take these blocks. */
  readonly frame: number
  /** Blocks added by this rise. */
  readonly blocks: number
}

/**
 * The KV blocks that one leg holds over its life, for one KV model: a number for each frame, which
 * only rises. Computed once into a table, because plans ask for it thousands of times.
 */
export class LegCurve {
  /** Blocks from the opening on, before any audio. */
  readonly openBlocks: number
  readonly steps: readonly BlockStep[]
  /** The frames of `steps`, and their blocks in `stepBlocks`: arrays are faster to search. */
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
      this.sums[frames] = (this.sums[frames - 1] as number) + held
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

  /** Index in `steps` of the first rise at a frame or after it; `steps.length` where none is. */
  stepFrom(frame: number): number {
    return this.stepsBefore[Math.min(frame, CURVE_FRAMES_MAX)] as number
  }

  /** Blocks once a number of frames were sent and the end of the audio is not yet announced. */
  blocksAfter(frames: number): number {
    return this.atFrames[Math.min(frames, CURVE_FRAMES_MAX)] as number
  }

  /** Blocks at the end of a leg of that length, its tail computed: the most it ever holds. */
  peakBlocks(frames: number): number {
    return this.blocksAfter(frames + tailSteps())
  }

  /** Block-frames of a leg: its blocks at each of its first `frames` frames, added up. */
  sumUntil(frames: number): number {
    if (frames <= CURVE_FRAMES_MAX) return this.sums[frames] as number
    const last = this.atFrames[CURVE_FRAMES_MAX] as number
    return (this.sums[CURVE_FRAMES_MAX] as number) + (frames - CURVE_FRAMES_MAX) * last
  }
}
