import type { CutOption } from './cut-option.js'

/** How the cuts of a live lane are laid out, whose audio is still coming in. */
export interface GrowingCutsOptions {
  /** Distance of the quiet cuts, in frames: a leg may end there where no pause comes. */
  quietEveryFrames: number
  /** Frames before a quiet cut that are sent in both legs. */
  overlapFrames: number
  /** How far ahead of the newest audio cuts are laid out, in frames; more than the longest leg. */
  aheadFrames: number
}

/**
 * The cuts of a lane whose end isn't known yet, such as a live session. Two modes. *Growing*:
 * pauses are added as they are detected; ahead of the newest audio are quiet cuts at fixed frames,
 * and after those an assumed end that moves on as audio comes in, so that plans always reach ahead.
 * *Complete*, once the audio has ended: the end is the real one. Cuts in the past are removed, so
 * that the list doesn't grow with the length of the session.
 */
export class GrowingCuts {
  private readonly options: GrowingCutsOptions
  private readonly over = new AbortController()
  /** Detected pauses and quiet cuts in order, without the end. */
  private known: CutOption[] = []
  private laidOutFrames = 0
  private heardFrames = 0
  private list: readonly CutOption[] | null = null

  constructor(options: GrowingCutsOptions) {
    this.options = options
    this.layOut()
  }

  /** All cuts ahead in order, the end last; a new array only where something has changed. */
  get cuts(): readonly CutOption[] {
    this.list ??= [...this.known, this.end]
    return this.list
  }

  /** Aborted once the audio has ended and the real end is known. */
  get completed(): AbortSignal {
    return this.over.signal
  }

  /** `frames` frames of audio have come in since the start. */
  heard(frames: number): void {
    if (this.completed.aborted || frames <= this.heardFrames) return
    this.heardFrames = frames
    this.layOut()
  }

  /** Adds a cut that is better than the quiet ones: a pause, or an overlap back to a pause. */
  add(cut: CutOption): void {
    if (this.completed.aborted) return
    const at = this.known.findIndex(({ endFrame }) => endFrame >= cut.endFrame)
    const isThere = this.known[at]?.endFrame === cut.endFrame
    this.known.splice(at < 0 ? this.known.length : at, isThere ? 1 : 0, cut)
    this.list = null
  }

  /** The audio has ended before this frame: cuts from it on are removed. */
  complete(endFrame: number): void {
    if (this.completed.aborted) return
    this.heardFrames = endFrame
    this.known = this.known.filter((cut) => cut.endFrame < endFrame)
    this.list = null
    this.over.abort()
  }

  /** Removes the cuts up to this frame: no leg will begin before it any more. */
  forgetBefore(frame: number): void {
    const first = this.known.findIndex(({ endFrame }) => endFrame > frame)
    if (first <= 0) return
    this.known.splice(0, first)
    this.list = null
  }

  private get end(): CutOption {
    const ahead = this.completed.aborted ? this.heardFrames : this.laidOutFrames
    return { endFrame: ahead, nextFrame: ahead, kind: 'end' }
  }

  /** Lays out quiet cuts until they reach `aheadFrames` beyond the newest audio. */
  private layOut(): void {
    const { quietEveryFrames, overlapFrames, aheadFrames } = this.options
    const until = this.heardFrames + aheadFrames
    while (this.laidOutFrames + quietEveryFrames <= until) {
      if (this.laidOutFrames > 0) {
        const endFrame = this.laidOutFrames
        this.known.push({ endFrame, nextFrame: endFrame - overlapFrames, kind: 'quiet' })
      }
      this.laidOutFrames += quietEveryFrames
      this.list = null
    }
  }
}
