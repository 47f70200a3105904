import type { CutOption } from '../../admission/legs/cut-option.js'
import { STEP_MS } from '../../model/pcm.js'
import type { SessionProgress } from '../../realtime/run-session.js'
import { groupsBefore, isWithinRun } from '../../transcript/legs/part-of-leg.js'
import { lastStepOf, type WordGroup } from '../../transcript/words/align.js'

/**
 * Steps (13, about 1 s) that must be answered after a cut before it is safe: text comes late, and
 * by then everything that was said before the cut has been written.
 */
const PASSED_STEPS = 13
/**
 * How far before the newest answered cut a checkpoint may end, in frames (375 are 30 s), so that it
 * doesn't end within a run of text.
 */
const LOOK_BACK_FRAMES = 375

/** A part of a leg, from its beginning to a cut. */
export interface LegPart {
  cut: CutOption
  /** Steps up to the cut. */
  deltas: number
  groups: WordGroup[]
  /** See `SessionProgress.isExact`. */
  isExact: boolean
}

/**
 * What has come back for a running leg, and up to where it is safe: up to the newest cut that the
 * deltas have passed by 1 s, and that splits no run of text. It only grows. If the session is lost,
 * another session continues from that cut.
 */
export class LegRecord {
  readonly fromFrame: number
  private readonly cuts: readonly CutOption[]
  private readonly groups: WordGroup[] = []
  private progress: SessionProgress | null = null

  /** @param cuts of the whole lane, in order */
  constructor(fromFrame: number, cuts: readonly CutOption[]) {
    this.fromFrame = fromFrame
    this.cuts = cuts
  }

  /** Adds a run of text that is complete. */
  wrote(group: WordGroup): void {
    this.groups.push(group)
  }

  /** Takes the session's progress after each delta. */
  answered(progress: SessionProgress): void {
    this.progress = progress
  }

  /** The frame of the recording up to which the engine has answered. */
  get answeredFrame(): number {
    return this.fromFrame + Math.floor((this.progress?.answeredMs ?? 0) / STEP_MS)
  }

  /**
   * The part up to the last safe cut; null where there is none yet.
   * @param hasText true: ends before or at the last text; what came since may be a blank run
   */
  part({ hasText = false } = {}): LegPart | null {
    const { progress } = this
    if (progress === null) return null
    const writing = progress.writing()
    const groups = writing ? [...this.groups, writing] : this.groups
    const last = groups.at(-1)
    const textSteps = last === undefined ? 0 : lastStepOf(last) + 1
    const answered = progress.deltas - PASSED_STEPS
    const untilStep = hasText ? Math.min(answered, textSteps) : answered
    const cut = this.lastCut(groups, untilStep)
    if (cut === null) return null
    const deltas = cut.endFrame - this.fromFrame
    const { isExact } = progress
    return { cut, deltas, groups: groupsBefore(groups, deltas, STEP_MS), isExact }
  }

  private lastCut(groups: readonly WordGroup[], untilStep: number): CutOption | null {
    let newest: CutOption | null = null
    for (let at = this.cuts.length - 1; at >= 0; at -= 1) {
      const cut = this.cuts[at] as CutOption
      const isInside = cut.kind !== 'end' && cut.endFrame - this.fromFrame <= untilStep
      if (!isInside) continue
      if (cut.nextFrame <= this.fromFrame) break
      newest ??= cut
      if (newest.endFrame - cut.endFrame > LOOK_BACK_FRAMES) break
      if (!isWithinRun(groups, cut.endFrame - this.fromFrame)) return cut
    }
    return newest
  }
}
