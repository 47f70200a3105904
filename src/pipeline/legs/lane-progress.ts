import type { CompletedLane, CompletedLeg } from './completed-leg.js'
import type { LegRecord } from './leg-record.js'
import { PackedLeg } from './packed-leg.js'

/** A leg that runs. `part` is the leg as it would be if it ended at its last safe cut. */
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

  /**
   * Adds a leg that begins. Running legs that begin at the same frame or later are dropped: they
   * belong to sessions that were lost.
   */
  begin(leg: RunningLegRecord): void {
    const { fromFrame } = leg.record
    this.running = [...this.running.filter(({ record }) => record.fromFrame < fromFrame), leg]
  }

  /**
   * Drops a leg that has failed. A leg that is stopped together with its job is not dropped: the
   * job's last checkpoint still takes its safe part.
   */
  lost(leg: RunningLegRecord): void {
    this.running = this.running.filter((each) => each !== leg)
  }

  /** Adds a leg that is complete, or the safe part of one that broke. Called in order of time. */
  add(leg: CompletedLeg): void {
    this.legs.push(new PackedLeg(leg))
    this.running = this.running.filter(({ record }) => record.fromFrame >= leg.nextFrame)
  }

  /** Number of legs that are complete. */
  get count(): number {
    return this.legs.length
  }

  /** The furthest frame of the recording for which a delta has come back. */
  get answeredFrame(): number {
    const done = this.legs.at(-1)?.endFrame ?? 0
    return Math.max(done, ...this.running.map(({ record }) => record.answeredFrame))
  }

  /** The lane with its complete legs. */
  get completed(): CompletedLane {
    return { channel: this.channel, legs: this.legs.map((leg) => leg.unpack()) }
  }

  /** The lane with all that is safe: its complete legs, and the running leg up to a safe cut. */
  get safe(): CompletedLane {
    const lane = this.completed
    const part = this.safePart
    if (part !== null) lane.legs.push(part)
    return lane
  }

  /** The frame at which another attempt would continue; 0 where nothing is safe. */
  get safeFrame(): number {
    return this.safePart?.nextFrame ?? this.legs.at(-1)?.nextFrame ?? 0
  }

  private get safePart(): CompletedLeg | null {
    const nextFrame = this.legs.at(-1)?.nextFrame ?? this.fromFrame
    // A running leg that begins later than the last complete one ends is not safe: the leg before
    // it was lost, and it is about to be stopped.
    const joining = this.running.find(({ record }) => record.fromFrame === nextFrame)
    return joining?.part() ?? null
  }
}
