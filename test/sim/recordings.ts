import type { CutOption } from '../../src/admission/legs/cut-option.js'
import type { Random } from '../../src/kernel/random.js'

/** Frames a second. */
const FRAMES = 12.5
/** In speech without a pause a quiet point is found about so often. */
const QUIET_EVERY_FRAMES = 125
const OVERLAP_FRAMES = 25
/** A silence that is skipped. */
const SKIP_FRAMES_MAX = 3_000

/** How a recording is made up. */
export interface RecordingShape {
  durationS: number
  pauseEveryS: number
  /** Chance of a pause to be a long silence that isn't replayed. */
  skipShare?: number
}

/** The cuts of a recording whose pauses come at random, so many seconds apart on average. */
export function randomCuts(random: Random, shape: RecordingShape): CutOption[] {
  const { durationS, pauseEveryS, skipShare = 0 } = shape
  const end = Math.max(1, Math.round(durationS * FRAMES))
  const cuts: CutOption[] = []
  let last = 0
  let frame = 0
  for (;;) {
    const gapS = -Math.log(1 - random.uniform()) * pauseEveryS
    frame += Math.max(5, Math.round(gapS * FRAMES))
    const until = Math.min(frame, end)
    while (until - last > 1.5 * QUIET_EVERY_FRAMES) {
      last += QUIET_EVERY_FRAMES
      const half = Math.floor(OVERLAP_FRAMES / 2)
      cuts.push({ endFrame: last + half, nextFrame: last - half, kind: 'quiet' })
    }
    if (frame >= end) break
    const silence = skipShare > 0 && random.uniform() < skipShare
    const after = frame + Math.round(random.uniform() * SKIP_FRAMES_MAX)
    const isSkipped = silence && after > frame && after < end - 5
    cuts.push({ endFrame: frame, nextFrame: isSkipped ? after : frame, kind: kindOf(isSkipped) })
    frame = isSkipped ? after : frame
    last = frame
  }
  cuts.push({ endFrame: end, nextFrame: end, kind: 'end' })
  return cuts
}

function kindOf(isSkipped: boolean): 'skip' | 'pause' {
  return isSkipped ? 'skip' : 'pause'
}

/** Frames that are replayed of a recording with such cuts, overlaps not counted. */
export function framesOf(cuts: readonly CutOption[]): number {
  const end = cuts.at(-1)?.endFrame ?? 0
  return cuts.reduce((left, { kind, endFrame, nextFrame }) => {
    return kind === 'skip' ? left - (nextFrame - endFrame) : left
  }, end)
}

/** A standard normal number. */
export function normal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.uniform()))
  return radius * Math.cos(2 * Math.PI * random.uniform())
}

/** Length of a meeting in seconds: log-normal, cut off at both ends. */
export function meetingS(
  random: Random,
  shape: { medianS: number; sigma: number; leastS: number; mostS: number },
): number {
  const drawn = shape.medianS * Math.exp(shape.sigma * normal(random))
  return Math.min(shape.mostS, Math.max(shape.leastS, drawn))
}
