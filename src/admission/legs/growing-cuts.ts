import type { CutOption } from './cut-option.js'

/** How the cuts of a lane are laid out whose audio is still being spoken. */
export interface GrowingCutsOptions {
  /** Where no pause comes a leg may end this often, in frames: a live lane can be cut anywhere. */
  quietEveryFrames: number
  /** Frames that both legs are sent at such a cut. */
  overlapFrames: number
  /** How far ahead of the newest audio cuts are laid out, in frames; more than the longest leg. */
  aheadFrames: number
}

/**
 * The cuts of a lane whose end isn't known yet, such as a live session. *Growing*: its pauses are
 * added as they are heard; ahead of them lie quiet cuts at fixed frames, and after those an end
 * that moves away as audio comes in, so that plans always have somewhere to go. *Complete*, once
 * the audio has ended: then the end is the real one. Cuts that lie behind are forgotten, so the
 * list stays as long as what is ahead.
 */
export class GrowingCuts {
  private readonly options: GrowingCutsOptions
  private readonly over = new AbortController()
  /** In order: heard pauses and quiet cuts, without the end. */
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

  /** Aborted once the real end is known. */
  get completed(): AbortSignal {
    return this.over.signal
  }

  /** Audio has come in up to a frame, without it. */
  heard(frames: number): void {
    if (this.completed.aborted || frames <= this.heardFrames) return
    this.heardFrames = frames
    this.layOut()
  }

  /** A cut that is better than the quiet ones: a pause, or one whose legs overlap back to it. */
  add(cut: CutOption): void {
    if (this.completed.aborted) return
    const at = this.known.findIndex(({ endFrame }) => endFrame >= cut.endFrame)
    const isThere = this.known[at]?.endFrame === cut.endFrame
    this.known.splice(at < 0 ? this.known.length : at, isThere ? 1 : 0, cut)
    this.list = null
  }

  /** No audio comes after this frame: cuts behind it are gone. */
  complete(endFrame: number): void {
    if (this.completed.aborted) return
    this.heardFrames = endFrame
    this.known = this.known.filter((cut) => cut.endFrame < endFrame)
    this.list = null
    this.over.abort()
  }

  /** No leg begins before this frame any more. */
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

  /** One more quiet cut each time the audio has come so far. */
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
