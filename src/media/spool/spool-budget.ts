import { ConfigError } from '../../kernel/errors.js'

interface Waiter {
  bytes: number
  admit: () => void
}

/**
 * Room on disk for spooled legs. A leg that doesn't fit waits in order of arrival: otherwise small
 * legs could overtake a large one for ever.
 */
export class SpoolBudget {
  private readonly bytesMax: number
  private readonly queue: Waiter[] = []
  private used = 0

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  /** Bytes that are reserved. */
  get bytesUsed(): number {
    return this.used
  }

  /**
   * Reserves room; disposing the result gives the room back, once.
   * @throws ConfigError when it could never fit; the signal's reason
   */
  async reserve(bytes: number, { signal }: { signal: AbortSignal }): Promise<Disposable> {
    signal.throwIfAborted()
    if (bytes > this.bytesMax) {
      throw new ConfigError(
        'config_invalid',
        `media.spoolBytesMax is ${this.bytesMax} bytes, and a single segment of audio takes ` +
          `${bytes}: set it (NIGHTSCRIBE_MEDIA_SPOOL_BYTES_MAX) to that at least, better to twice ` +
          'as much for each recording that runs at a time.',
        { facts: { setting: 'media.spoolBytesMax', bytesMax: this.bytesMax, bytes } },
      )
    }
    if (this.queue.length > 0 || this.used + bytes > this.bytesMax) await this.wait(bytes, signal)
    else this.used += bytes
    let held = true
    return {
      [Symbol.dispose]: () => {
        if (held) this.used -= bytes
        held = false
        this.drain()
      },
    }
  }

  private wait(bytes: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.queue.splice(this.queue.indexOf(waiter), 1)
        this.drain()
        reject(signal.reason)
      }
      const waiter: Waiter = {
        bytes,
        admit: () => {
          signal.removeEventListener('abort', onAbort)
          resolve()
        },
      }
      this.queue.push(waiter)
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }

  private drain(): void {
    for (let head = this.queue[0]; head; head = this.queue[0]) {
      if (this.used + head.bytes > this.bytesMax) return
      this.queue.shift()
      this.used += head.bytes
      head.admit()
    }
  }
}
