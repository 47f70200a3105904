import { STEP_SAMPLES } from '../model/pcm.js'
import { deltasDue, deltasTotal, tailSteps } from '../model/step-law.js'

/** Zeros that stand in for an engine's own right padding: 1.36 s. */
export const PAD_SAMPLES = tailSteps() * STEP_SAMPLES

/** A session that came to its `done`, as far as its count of deltas goes. */
export interface AnsweredAudio {
  /** Of the leg, without padding of ours. */
  samples: number
  /** `PAD_SAMPLES` of ours followed. */
  isPadded: boolean
  deltas: number
}

/**
 * Where the deltas came from that follow a leg's last audio.
 * - `engine`: the engine padded, as vLLM does: the law of steps holds.
 * - `ours`: it answered our padding, and nothing else: the law holds by our own doing.
 * - `both`: it padded what we had padded; the law holds for the longer audio.
 * - `none`: it gave none, to the step: it is a build without right padding.
 * - `short`: it gave too few, as neither kind of engine does.
 * - `unlawful`: less than the audio alone demands, or more than anything explains.
 */
export type TailOrigin = 'engine' | 'ours' | 'both' | 'none' | 'short' | 'unlawful'

/** Compares a count of deltas with the law of steps. */
export function tailOrigin({ samples, isPadded, deltas }: AnsweredAudio): TailOrigin {
  const due = deltasDue(samples)
  const total = deltasTotal(samples)
  if (deltas === total) return isPadded ? 'ours' : 'engine'
  if (isPadded && deltas === deltasTotal(samples + PAD_SAMPLES)) return 'both'
  if (deltas < due || deltas > total) return 'unlawful'
  return !isPadded && deltas === due ? 'none' : 'short'
}

/** Times by count are exact: the count is what the engine owes by one of its laws. */
export function isLawful(origin: TailOrigin): boolean {
  return origin === 'engine' || origin === 'ours' || origin === 'both'
}

/** The end of the text may be missing, though all audio was answered. */
export function isShort(origin: TailOrigin): boolean {
  return origin === 'none' || origin === 'short'
}

/**
 * Which engines don't pad what they are sent, learned from the sessions of this process, of which
 * the warm-up is the first. Early builds of vLLM don't: without padding of ours the last 1.4 s of
 * every leg's text would be missing. Each engine is taken for one that *pads* until a session of it
 * ends to the step as one would that *doesn't*, and again once one answers more than we sent: so a
 * session that was cut short by chance costs no more than a padded one after it.
 */
export class EnginePadding {
  private readonly missing = new Set<string>()

  /** Whether sessions of this engine are padded by us. */
  isMissing(engineUrl: string): boolean {
    return this.missing.has(engineUrl)
  }

  /** A session came to its `done`. */
  learn(engineUrl: string, origin: TailOrigin): void {
    if (origin === 'none') this.missing.add(engineUrl)
    else if (origin === 'both') this.missing.delete(engineUrl)
  }
}
