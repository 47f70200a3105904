import { orAbort } from '../../kernel/abort.js'
import { STEP_SAMPLES } from '../../model/pcm.js'
import type { LegReader, MediaSource, SpooledLeg } from '../index.js'

/**
 * Frames of a segment, which is decoded at a time: 2 min, 3.8 MB of PCM. Starting ffmpeg and
 * seeking take 80 ms and decoding a minute takes 45 ms, so shorter segments cost too much. Of
 * longer ones more would be thrown away, because most legs end within minutes.
 */
export const STRETCH_FRAMES = 1_500
/** How far back a reader may step behind the furthest frame it has asked for: 2 s. */
export const STEP_BACK_FRAMES = 25
/** Frame of a segment from which on the next one is decoded: a slow store has 1 min for it. */
const AHEAD_FROM_FRAME = STRETCH_FRAMES / 2

/** One lane of a recording that has been analysed. */
export interface LaneAudio {
  reader: LegReader
  /** The job's `audio.flac`. */
  flac: MediaSource
  /** 0-based channel in the FLAC. */
  lane: number
  /** Length of the whole lane, in samples of 16 kHz. */
  samples: number
}

/** Reads the frames of a lane from a frame on; the last frame to read needn't be known before. */
export interface LaneFrames extends AsyncDisposable {
  /** Of the whole lane; the last one may be shorter than 80 ms. */
  readonly frameCount: number
  /**
   * Frame `index` of the lane (0-based): 2560 bytes, fewer in the last one. Call it with rising
   * index; steps of up to 2 s back are allowed, and frames may be left out. Calls may overlap, so
   * that the legs before and after a cut can share a reader.
   *
   * @throws RangeError when the lane has no such frame or the reader is past it; what
   *   `LegReader.openLeg` throws for the segment that the frame is in; the reason of this signal or
   *   of the lane's
   */
  frame(index: number, options: { signal: AbortSignal }): Promise<Uint8Array>
}

/**
 * Reads a lane from a frame on, segment by segment. The first one is being decoded when this
 * returns, and each further one while the one before it is read, so that the end of a leg can move
 * while it runs.
 *
 * It holds one segment in the spool, and two from the second half of a segment on. In memory it
 * holds the frames of the last 2 s, with the blocks that they are part of about 200 kB.
 *
 * Lanes that share a spool can't deadlock: a segment that was read to its end is given back before
 * the next one is waited for, and a segment that is opened ahead holds no other one up. So all room
 * in use is being read, and room is given back at the pace of the replay, as long as no lane is
 * opened before its session may run.
 *
 * @param start.signal ends running decodes; the lane must still be disposed
 * @throws RangeError when `fromFrame` isn't in the lane; the signal's reason
 */
export function openLane(
  audio: LaneAudio,
  start: { fromFrame: number; signal: AbortSignal },
): LaneFrames {
  start.signal.throwIfAborted()
  return new OpenLane(audio, start)
}

/**
 * Open: `current` is the segment that is being read, and `ahead` the one right after it, once the
 * second half of `current` is read. Closed: all segments are given back, and no frame can be read.
 */
class OpenLane implements LaneFrames {
  readonly frameCount: number
  private readonly audio: LaneAudio
  private readonly signal: AbortSignal
  private current: Segment
  private ahead: Segment | null = null
  private furthest: number
  /** The frames of the last 2 s that were read: their segment may have been given back. */
  private readonly recent = new Map<number, Promise<Uint8Array>>()
  /** Segments that are being given back to the spool. */
  private readonly closing = new Set<Promise<void>>()
  private isClosed = false
  private readonly onAbort = () => {
    this.current.stop(this.signal.reason)
    this.ahead?.stop(this.signal.reason)
  }

  constructor(audio: LaneAudio, start: { fromFrame: number; signal: AbortSignal }) {
    this.audio = audio
    this.signal = start.signal
    this.frameCount = Math.ceil(audio.samples / STEP_SAMPLES)
    this.furthest = start.fromFrame
    this.assertInLane(start.fromFrame)
    this.current = this.open(start.fromFrame)
    this.signal.addEventListener('abort', this.onAbort, { once: true })
  }

  async frame(index: number, { signal }: { signal: AbortSignal }): Promise<Uint8Array> {
    signal.throwIfAborted()
    this.signal.throwIfAborted()
    this.assertInLane(index)
    const isPast = index < this.furthest - STEP_BACK_FRAMES
    const frame = isPast ? undefined : (this.recent.get(index) ?? this.read(index))
    if (frame) return orAbort(frame, signal)
    throw new RangeError(
      `frame ${index} of lane ${this.audio.lane} is no longer held: frame ${this.furthest} was read`,
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.isClosed) {
      this.isClosed = true
      this.signal.removeEventListener('abort', this.onAbort)
      for (const segment of [this.current, this.ahead]) {
        segment?.stop(new DOMException('The lane was closed.', 'AbortError'))
        if (segment) this.release(segment)
      }
      this.recent.clear()
    }
    await Promise.all(this.closing)
  }

  /** Undefined for a frame before the current segment. */
  private read(index: number): Promise<Uint8Array> | undefined {
    if (index < this.current.fromFrame) return undefined
    const frame = this.segmentOf(index).read(index)
    this.furthest = Math.max(this.furthest, index)
    this.recent.set(index, frame)
    for (const known of this.recent.keys()) {
      if (known < this.furthest - STEP_BACK_FRAMES) this.recent.delete(known)
    }
    return frame
  }

  private segmentOf(index: number): Segment {
    if (index >= this.current.endFrame) {
      const { ahead } = this
      this.keepEndOf(this.current, index)
      this.release(this.current)
      this.ahead = null
      if (ahead && index >= ahead.endFrame) this.release(ahead)
      this.current = ahead && index < ahead.endFrame ? ahead : this.open(index)
    }
    const { fromFrame, endFrame } = this.current
    const isNear = index >= fromFrame + AHEAD_FROM_FRAME
    if (isNear && endFrame < this.frameCount) this.ahead ??= this.open(endFrame)
    return this.current
  }

  /**
   * Reads the last frames of a segment into memory before it is given back: the leg before a cut
   * may still need them when the leg after the cut has moved on to the next segment.
   */
  private keepEndOf(segment: Segment, furthest: number): void {
    const fromFrame = Math.max(segment.fromFrame, furthest - STEP_BACK_FRAMES)
    for (let index = fromFrame; index < segment.endFrame; index += 1) {
      if (this.recent.has(index)) continue
      const frame = segment.read(index)
      // Not thrown here: the caller that reads this frame gets the error.
      frame.catch(() => {})
      this.recent.set(index, frame)
    }
  }

  private open(fromFrame: number): Segment {
    const endFrame = Math.min(fromFrame + STRETCH_FRAMES, this.frameCount)
    return new Segment(this.audio, fromFrame, endFrame)
  }

  private release(segment: Segment): void {
    const closed = segment.close()
    this.closing.add(closed)
    // A failed one stays in the set, so that disposing the lane throws its error.
    closed.then(
      () => this.closing.delete(closed),
      () => {},
    )
  }

  private assertInLane(index: number): void {
    const isInside = Number.isInteger(index) && index >= 0 && index < this.frameCount
    if (isInside && !this.isClosed) return
    const state = this.isClosed ? 'closed' : `of ${this.frameCount} frames`
    throw new RangeError(`frame ${index} can't be read: lane ${this.audio.lane} is ${state}`)
  }
}

/**
 * A segment of a lane. States: opening; open; closed, from either. A failure to open is thrown by
 * the next `read`.
 */
class Segment {
  readonly fromFrame: number
  /** Exclusive. */
  readonly endFrame: number
  private readonly stopping = new AbortController()
  private readonly leg: Promise<SpooledLeg>
  private isWanted = false

  constructor({ reader, flac, lane, samples }: LaneAudio, fromFrame: number, endFrame: number) {
    this.fromFrame = fromFrame
    this.endFrame = endFrame
    const range = {
      lane,
      startSample: fromFrame * STEP_SAMPLES,
      endSample: Math.min(samples, endFrame * STEP_SAMPLES),
    }
    this.leg = reader.openLeg(flac, range, { signal: this.stopping.signal })
    // Not thrown here: the next `read` gets the error.
    this.leg.catch(() => {})
  }

  async read(index: number): Promise<Uint8Array> {
    this.isWanted = true
    const leg = await this.leg
    return leg.readFrame(index - this.fromFrame, { signal: this.stopping.signal })
  }

  /** Ends the decode and all reads. */
  stop(reason: unknown): void {
    this.stopping.abort(reason)
  }

  /** Lets reads that have begun finish; stops a decode that no read waits for. */
  async close(): Promise<void> {
    if (!this.isWanted) this.stopping.abort()
    const leg = await this.leg.catch(() => null)
    await leg?.[Symbol.asyncDispose]()
  }
}
