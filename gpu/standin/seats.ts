/**
 * The engine's `max_num_seqs`: who has begun holds a seat until the utterance is over, and
 * everybody beyond waits in order, without being told.
 */
export class Seats<T> {
  private readonly seated = new Set<T>()
  private readonly queue = new Set<T>()
  private readonly seatsMax: number
  private readonly onSeated: (holder: T) => void

  /** @param onSeated called for a waiting holder once it got a seat */
  constructor(seatsMax: number, onSeated: (holder: T) => void) {
    this.seatsMax = seatsMax
    this.onSeated = onSeated
  }

  get seatedCount(): number {
    return this.seated.size
  }

  get waitingCount(): number {
    return this.queue.size
  }

  /** Whether the holder has a seat, taking a free one; otherwise it waits in line from here on. */
  take(holder: T): boolean {
    if (this.seated.has(holder)) return true
    if (this.seated.size >= this.seatsMax) {
      this.queue.add(holder)
      return false
    }
    this.seated.add(holder)
    return true
  }

  /** Gives the seat up, or the place in line. Harmless when there is neither. */
  release(holder: T): void {
    this.queue.delete(holder)
    if (!this.seated.delete(holder)) return
    const [next] = this.queue
    if (next === undefined) return
    this.queue.delete(next)
    this.seated.add(next)
    this.onSeated(next)
  }
}
