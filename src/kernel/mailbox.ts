import assert from 'node:assert/strict'

/** The maxima of a mailbox, and how it tells its producer to wait. */
export interface MailboxOptions<T> {
  /**
   * Items that may wait: when there are that many, `onFull` is called once. `put` still takes more,
   * for what the producer had already read.
   */
  itemsMax: number
  /** Bytes that may wait, by the same rule; without it only items are counted. */
  size?: { bytesMax: number; bytesOf(item: T): number }
  onFull?: () => void
  /** Called once after `onFull`, when at most half of each maximum still waits. */
  onDrained?: () => void
}

/**
 * A queue from event handlers, which must not wait, to one loop, which may. Two modes: open (the
 * consumer takes items in order, and waits when there is none) and ended (the items left are still
 * handed out, then the iteration ends; `put` is ignored).
 */
export class Mailbox<T> implements AsyncIterable<T> {
  /**
   * The items that wait; an entry is cleared as soon as its item was taken. Kept longer, the audio
   * of a hundred sessions would outlive the young generation, and collecting it would cost pauses.
   */
  private items: (T | undefined)[] = []
  private head = 0
  private bytesWaiting = 0
  private ended = false
  private full = false
  private wake: (() => void) | null = null
  private readonly options: MailboxOptions<T>

  constructor(options: MailboxOptions<T>) {
    assert.ok(options.itemsMax >= 1, 'a mailbox holds at least one item')
    this.options = options
  }

  get length(): number {
    return this.items.length - this.head
  }

  /** Bytes that wait; 0 without the option `size`. */
  get bytes(): number {
    return this.bytesWaiting
  }

  /** Adds an item, without waiting, also beyond the maximum. Ignored after `end`. */
  put(item: T): void {
    if (this.ended) return
    this.items.push(item)
    this.bytesWaiting += this.bytesOf(item)
    if (!this.full && this.isFull()) {
      this.full = true
      this.options.onFull?.()
    }
    this.signalConsumer()
  }

  /** No more items will come. */
  end(): void {
    this.ended = true
    this.signalConsumer()
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (;;) {
      while (this.length > 0) yield this.take()
      if (this.ended) return
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
  }

  private take(): T {
    const item = this.items[this.head] as T
    this.items[this.head] = undefined
    this.head += 1
    this.bytesWaiting -= this.bytesOf(item)
    const isEmpty = this.head === this.items.length
    if (isEmpty || (this.head > 256 && this.head * 2 > this.items.length)) {
      this.items = isEmpty ? [] : this.items.slice(this.head)
      this.head = 0
    }
    if (this.full && this.isHalfFree()) {
      this.full = false
      this.options.onDrained?.()
    }
    return item
  }

  private isFull(): boolean {
    const { itemsMax, size } = this.options
    return this.length >= itemsMax || (size !== undefined && this.bytes >= size.bytesMax)
  }

  private isHalfFree(): boolean {
    const { itemsMax, size } = this.options
    return this.length <= itemsMax / 2 && (size === undefined || this.bytes <= size.bytesMax / 2)
  }

  private bytesOf(item: T): number {
    return this.options.size?.bytesOf(item) ?? 0
  }

  private signalConsumer(): void {
    const { wake } = this
    this.wake = null
    wake?.()
  }
}
