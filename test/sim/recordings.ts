import type { CutOption } from '../../src/admission/leg-planner.js'
import type { Random } from '../../src/kernel/random.js'

/** Frames a second. */
const FRAMES = 12.5
/** In speech without a pause a quiet point is found about so often. */
const QUIET_EVERY_FRAMES = 125
const OVERLAP_FRAMES = 25

/** The cuts of a recording whose pauses come at random, so many seconds apart on average. */
export function randomCuts(
  random: Random,
  options: { durationS: number; pauseEveryS: number },
): CutOption[] {
  const endFrame = Math.max(1, Math.round(options.durationS * FRAMES))
  const cuts: CutOption[] = []
  let lastFrame = 0
  let frame = 0
  for (;;) {
    const gapS = -Math.log(1 - random.uniform()) * options.pauseEveryS
    frame += Math.max(5, Math.round(gapS * FRAMES))
    const until = Math.min(frame, endFrame)
    while (until - lastFrame > 1.5 * QUIET_EVERY_FRAMES) {
      lastFrame += QUIET_EVERY_FRAMES
      const half = Math.floor(OVERLAP_FRAMES / 2)
      cuts.push({ endFrame: lastFrame + half, nextFrame: lastFrame - half, kind: 'quiet' })
    }
    if (frame >= endFrame) break
    cuts.push({ endFrame: frame, nextFrame: frame, kind: 'pause' })
    lastFrame = frame
  }
  cuts.push({ endFrame, nextFrame: endFrame, kind: 'end' })
  return cuts
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
