import { type KvModel, kvBlocksHeld } from '../../../src/model/kv-model.js'

/** The part of an utterance that the scheduler needs. */
export interface Sequence {
  /** Number of deltas that it has been given. */
  readonly deltas: number
}

/** KV blocks of the engine, and the most sequences that may hold some at a time. */
export interface SchedulerLimits {
  kv: KvModel
  /** `num_gpu_blocks` less one, which vLLM keeps for itself. */
  kvBlocksUsable: number
  /** `max_num_seqs`: how many sequences may hold blocks at a time. */
  seqsMax: number
}

/** What the scheduler remembers of a sequence. */
interface Place {
  /** Queue position; the lowest goes first, and every step moves the sequence to the end. */
  order: number
  kvBlocks: number
}

/**
 * Chooses the sequences of an engine's next step and gives blocks to them, as vLLM 0.32 does:
 * - Sequences that hold blocks go first, in the order of the last steps; then newcomers in the
 *   order of arrival.
 * - A sequence without a frame is passed over and keeps its position. One that steps goes to the
 *   end.
 * - The choice stops at the first sequence that can't get its block or a seat: none behind it takes
 *   part. So when a holder can't get its block, all others are behind it after one step, and all
 *   stand still until a sequence is released: the deadlock of a full cache. Blocks are never taken
 *   away (vLLM preempts running sequences only, and between steps a streaming one isn't running).
 */
export class BatchScheduler<T extends Sequence> {
  readonly limits: SchedulerLimits
  private readonly places = new Map<T, Place>()
  private nextOrder = 0
  private holders = 0
  private held = 0
  private heldMax = 0
  private deadlockCount = 0
  /** The holder behind which all others wait in a deadlock; null without one. */
  private blocked: T | null = null

  constructor(limits: SchedulerLimits) {
    this.limits = limits
  }

  /** Blocks that sequences hold now. */
  get kvBlocksHeld(): number {
    return this.held
  }

  /** The most blocks that were ever held at a time. */
  get kvBlocksHeldMax(): number {
    return this.heldMax
  }

  /** Number of sequences that hold blocks. */
  get holding(): number {
    return this.holders
  }

  /** Number of newcomers that wait for a seat or for their first blocks. */
  get waiting(): number {
    return this.places.size - this.holders
  }

  /** How often all sequences stood still because one couldn't get its block. */
  get deadlocks(): number {
    return this.deadlockCount
  }

  /**
   * Chooses the next batch.
   * @param ready sequences whose next frame has come
   * @returns those that take part; they hold their blocks from here on
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

  /** Frees the sequence's blocks at once and forgets it. Harmless for an unknown one. */
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

  /**
   * Gives a sequence the blocks of its next step, less those that left its windows, and moves it to
   * the end of the queue.
   */
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
