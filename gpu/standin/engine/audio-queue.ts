import { SAMPLE_BYTES } from '../../../src/model/pcm.js'
import type { Generation } from './generation.js'

/** The audio after it belongs to the next utterance. */
const END = Symbol('end of audio')

/**
 * What was appended on one connection and not yet heard, with the ENDs that final commits put
 * there. vLLM's has no bound; this one holds `PCM_BYTES_MAX` and refuses what is more.
 */
export class AudioQueue {
  /** 2 h 20 min of audio. */
  static readonly PCM_BYTES_MAX = 256 * 1024 * 1024
  private items: Array<Int16Array | typeof END> = []
  private pcmBytes = 0

  /** @returns false, having taken nothing, when it is full */
  push(samples: Int16Array): boolean {
    const bytes = samples.length * SAMPLE_BYTES
    if (this.pcmBytes + bytes > AudioQueue.PCM_BYTES_MAX) return false
    this.pcmBytes += bytes
    this.items.push(samples)
    return true
  }

  pushEnd(): void {
    this.items.push(END)
  }

  /** Hands everything over up to the first END, which ends the generation; the rest stays. */
  drainInto(generation: Generation): void {
    let heard = 0
    while (!generation.isEnded && heard < this.items.length) {
      const item = this.items[heard]
      heard += 1
      if (item instanceof Int16Array) {
        this.pcmBytes -= item.length * SAMPLE_BYTES
        generation.feed(item)
      } else {
        generation.end()
      }
    }
    this.items.splice(0, heard)
  }

  clear(): void {
    this.items = []
    this.pcmBytes = 0
  }
}
