import { SAMPLE_BYTES } from '../../../src/model/pcm.js'
import type { Generation } from './generation.js'

/** Marks the end of an utterance: the audio after it belongs to the next one. */
const END = Symbol('end of audio')

/**
 * Audio appended on one connection and not yet passed to a generation, with the END marks of final
 * commits. vLLM's queue has no bound; this one refuses audio beyond `PCM_BYTES_MAX`, so that a
 * client can't fill the memory.
 */
export class AudioQueue {
  /** 256 MiB, which is 2 h 20 min of audio. */
  static readonly PCM_BYTES_MAX = 256 * 1024 * 1024
  private items: Array<Int16Array | typeof END> = []
  private pcmBytes = 0

  /** @returns false, having taken nothing, when the queue is full */
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

  /**
   * Passes everything up to the first END to the generation, which that ends; the rest stays
   * queued.
   */
  drainInto(generation: Generation): void {
    let taken = 0
    while (!generation.isEnded && taken < this.items.length) {
      const item = this.items[taken]
      taken += 1
      if (item instanceof Int16Array) {
        this.pcmBytes -= item.length * SAMPLE_BYTES
        generation.feed(item)
      } else {
        generation.end()
      }
    }
    this.items.splice(0, taken)
  }

  clear(): void {
    this.items = []
    this.pcmBytes = 0
  }
}
