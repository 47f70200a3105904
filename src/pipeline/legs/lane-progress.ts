import type { CompletedLane, CompletedLeg } from './completed-leg.js'
import type { LegRecord } from './leg-record.js'
import { PackedLeg } from './packed-leg.js'

/** A leg that runs, and what it would be if it ended at its last safe cut. */
export interface RunningLegRecord {
  readonly record: LegRecord
  /** @param options.hasText see `LegRecord.part` */
  part(options?: { hasText?: boolean }): CompletedLeg | null
}

/**
 * How far one lane has come in a job: legs that are complete, those of attempts before among them,
 * and the one or two that run.
 */
export class LaneProgress {
  readonly channel: number | null
  private readonly fromFrame: number
  private readonly legs: PackedLeg[]
  private running: RunningLegRecord[] = []

  /**
   * @param lane what is there already
   * @param fromFrame where the lane begins
   */
  constructor(lane: CompletedLane, fromFrame: number) {
    this.channel = lane.channel
    this.fromFrame = fromFrame
    this.legs = lane.legs.map((leg) => new PackedLeg(leg))
  }

  /** A leg begins, after those that run; what was begun here or later before is lost. */
  begin(leg: RunningLegRecord): void {
    const { fromFrame } = leg.record
    this.running = [...this.running.filter(({ record }) => record.fromFrame < fromFrame), leg]
  }

  /** A leg has failed: nothing of it counts. One that is stopped with its job stays as it is. */
  lost(leg: RunningLegRecord): void {
    this.running = this.running.filter((each) => each !== leg)
  }

  /** A leg is complete, or as complete as it will be. In order. */
  add(leg: CompletedLeg): void {
    this.legs.push(new PackedLeg(leg))
    this.running = this.running.filter(({ record }) => record.fromFrame >= leg.nextFrame)
  }

  /** Legs that are complete. */
  get count(): number {
    return this.legs.length
  }

  /** The furthest frame of the recording that was answered. */
  get answeredFrame(): number {
    const done = this.legs.at(-1)?.endFrame ?? 0
    return Math.max(done, ...this.running.map(({ record }) => record.answeredFrame))
  }

  /** Everything that is complete. */
  get completed(): CompletedLane {
    return { channel: this.channel, legs: this.legs.map((leg) => leg.unpack()) }
  }

  /** Everything that is safe: what is complete, and the running leg up to its last safe cut. */
  get safe(): CompletedLane {
    const lane = this.completed
    const part = this.safePart
    if (part !== null) lane.legs.push(part)
    return lane
  }

  /** Where it would go on from there; 0 where nothing is safe. */
  get safeFrame(): number {
    return this.safePart?.nextFrame ?? this.legs.at(-1)?.nextFrame ?? 0
  }

  private get safePart(): CompletedLeg | null {
    const nextFrame = this.legs.at(-1)?.nextFrame ?? this.fromFrame
    // One that doesn't join on has lost the leg before it, and is about to be stopped.
    const joining = this.running.find(({ record }) => record.fromFrame === nextFrame)
    return joining?.part() ?? null
  }
}
