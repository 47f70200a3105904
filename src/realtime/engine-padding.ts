import { STEP_SAMPLES } from '../model/pcm.js'
import { deltasDue, deltasTotal, tailSteps } from '../model/step-law.js'

/**
 * Samples of silence that we append for an engine that doesn't pad the end of audio itself: 1.36 s.
 */
export const PAD_SAMPLES = tailSteps() * STEP_SAMPLES

/** What a session that received its `done` was sent, and how many deltas it answered. */
export interface AnsweredAudio {
  /** Samples of the leg, without the padding that we append. */
  samples: number
  /** True when `PAD_SAMPLES` of silence were appended after the leg. */
  isPadded: boolean
  deltas: number
}

/**
 * Who caused the deltas that follow a leg's last audio. "Law of steps": the number of deltas an
 * engine owes for a number of samples (`src/model/step-law.ts`).
 * - `engine`: the engine padded the audio, as vLLM does; the count follows the law.
 * - `ours`: the engine answered our padding and added none; the count follows the law.
 * - `both`: the engine padded audio that we had padded; the count follows the law for the longer
 *   audio.
 * - `none`: exactly the deltas of the unpadded audio: an engine build without right padding.
 * - `short`: fewer than with padding, more than without: no known engine build does this.
 * - `unlawful`: fewer than the audio alone demands, or more than audio and padding explain.
 */
export type TailOrigin = 'engine' | 'ours' | 'both' | 'none' | 'short' | 'unlawful'

/** Says who caused the last deltas, by comparing their count with the law of steps. */
export function tailOrigin({ samples, isPadded, deltas }: AnsweredAudio): TailOrigin {
  const due = deltasDue(samples)
  const total = deltasTotal(samples)
  if (deltas === total) return isPadded ? 'ours' : 'engine'
  if (isPadded && deltas === deltasTotal(samples + PAD_SAMPLES)) return 'both'
  if (deltas < due || deltas > total) return 'unlawful'
  return !isPadded && deltas === due ? 'none' : 'short'
}

/** True when the count is one the law of steps predicts: word times by count are exact then. */
export function isLawful(origin: TailOrigin): boolean {
  return origin === 'engine' || origin === 'ours' || origin === 'both'
}

/** True when the end of the text may be missing, although the engine answered all audio. */
export function isShort(origin: TailOrigin): boolean {
  return origin === 'none' || origin === 'short'
}

/**
 * Remembers which engines don't pad the audio they are sent, learned from the sessions of this
 * process (the warm-up is the first). Early vLLM builds don't pad: without our padding the last 1.4
 * s of every leg's text would be missing. An engine counts as padding until one of its sessions
 * ends with exactly the unpadded count, and again once it answers more than we sent. So a session
 * that was cut short by chance costs one padded session, no more.
 */
export class EnginePadding {
  private readonly missing = new Set<string>()

  /** True when we must pad the sessions of this engine. */
  isMissing(engineUrl: string): boolean {
    return this.missing.has(engineUrl)
  }

  /** Learns from a session that received its `done`. */
  learn(engineUrl: string, origin: TailOrigin): void {
    if (origin === 'none') this.missing.add(engineUrl)
    else if (origin === 'both') this.missing.delete(engineUrl)
  }
}
