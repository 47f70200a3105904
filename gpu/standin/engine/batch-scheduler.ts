import { type KvModel, kvBlocksHeld } from '../../../src/model/kv-model.js'

/** An utterance as the scheduler sees it. */
export interface Sequence {
  /** Deltas that it has been given. */
  readonly deltas: number
}

/** What limits a batch. */
export interface SchedulerLimits {
  kv: KvModel
  /** `num_gpu_blocks` less one. */
  kvBlocksUsable: number
  /** `max_num_seqs`: sequences that hold blocks at a time. */
  seqsMax: number
}

/** What the scheduler keeps of a sequence. */
interface Place {
  /** Position in line; lowest first, moved to the end by every step. */
  order: number
  kvBlocks: number
}

/**
 * Chooses who takes part in an engine's next step, and gives blocks to them, as vLLM 0.32 does:
 * - Who holds blocks goes first, in the order of the last steps; then newcomers, as they came.
 * - Whoever has no frame is passed over and keeps the place; whoever steps goes to the end.
 * - At the first one whose block can't be had, or who has no seat, it stops: nobody behind that one
 *   takes part. So when a holder can't get its block, everybody is behind it after a step, and all
 *   of them stand still until somebody is released: the deadlock of a full cache. Nothing is ever
 *   taken from anybody (vLLM preempts running sequences only, and between its steps a streaming one
 *   isn't running).
 */
export class BatchScheduler<T extends Sequence> {
  readonly limits: SchedulerLimits
  private readonly places = new Map<T, Place>()
  private nextOrder = 0
  private holders = 0
  private held = 0
  private heldMax = 0
  private deadlockCount = 0
  /** The holder that everybody waits behind; null when there is none. */
  private blocked: T | null = null

  constructor(limits: SchedulerLimits) {
    this.limits = limits
  }

  /** Blocks that are given out. */
  get kvBlocksHeld(): number {
    return this.held
  }

  /** The most that were ever given out at a time. */
  get kvBlocksHeldMax(): number {
    return this.heldMax
  }

  /** Sequences that hold blocks. */
  get holding(): number {
    return this.holders
  }

  /** Newcomers that wait, for a seat or for their first blocks. */
  get waiting(): number {
    return this.places.size - this.holders
  }

  /** How often everybody stood still for want of a block. */
  get deadlocks(): number {
    return this.deadlockCount
  }

  /**
   * @param ready those whose next frame is there
   * @returns those of them that take part; their blocks are theirs from here on
   */
  pick(ready: readonly T[]): T[] {
    const batch: T[] = []
    let blocked: T | null = null
    for (const [sequence, place] of this.inLine(ready)) {
      const isHolder = place.kvBlocks > 0
      if (!isHolder && this.holders >= this.limits.seqsMax) break
      if (!this.give(sequence, place)) {
        if (isHolder) blocked = sequence
        break
      }
      batch.push(sequence)
      if (sequence === this.blocked) this.blocked = null
    }
    if (blocked && batch.length === 0) this.standStill(blocked)
    return batch
  }

  /** Frees what it holds, at once, and forgets it. Harmless for one that isn't known. */
  release(sequence: T): void {
    const place = this.places.get(sequence)
    if (!place) return
    this.places.delete(sequence)
    this.held -= place.kvBlocks
    if (place.kvBlocks > 0) this.holders -= 1
    if (sequence === this.blocked) this.blocked = null
  }

  private inLine(ready: readonly T[]): Array<readonly [T, Place]> {
    const line = ready.map((sequence) => [sequence, this.placeOf(sequence)] as const)
    if (line.length < 2) return line
    return line.sort(([, a], [, b]) => {
      const isNewcomer = Number(a.kvBlocks === 0) - Number(b.kvBlocks === 0)
      return isNewcomer || a.order - b.order
    })
  }

  private placeOf(sequence: T): Place {
    const known = this.places.get(sequence)
    if (known) return known
    const place = { order: this.nextOrder, kvBlocks: 0 }
    this.nextOrder += 1
    this.places.set(sequence, place)
    return place
  }

  /** Gives it the blocks of its next step, takes those out of its windows; it is last in line. */
  private give(sequence: T, place: Place): boolean {
    const kvBlocks = kvBlocksHeld(this.limits.kv, sequence.deltas + 1)
    const held = this.held - place.kvBlocks + kvBlocks
    if (held > this.limits.kvBlocksUsable) return false
    if (place.kvBlocks === 0) this.holders += 1
    place.kvBlocks = kvBlocks
    place.order = this.nextOrder
    this.nextOrder += 1
    this.held = held
    this.heldMax = Math.max(this.heldMax, held)
    return true
  }

  private standStill(behind: T): void {
    if (this.blocked === behind) return
    this.blocked = behind
    this.deadlockCount += 1
  }
}
