import { enginesNeeded, type PlanChange, possibleChanges } from '../../planning/plan-changes.js'
import type { PlanNights, PlannedNight } from './plan-nights.js'

/** Most engines that a forecast is made for. */
const ENGINES_MAX = 256
/** How often a larger number of engines is tried, after one more engine was too few. */
const TRIES_MAX = 3

/** A change that was tried, and the night with it. */
export interface PlanTrial {
  readonly change: PlanChange
  readonly night: PlannedNight
  readonly isMet: boolean
}

/** Whether a night ends in time, and which change would make it so. */
export interface DeadlineAnswer {
  readonly byMs: number
  readonly isMet: boolean
  /** Changes tried, cheapest first; empty when the deadline is met without any. */
  readonly trials: readonly PlanTrial[]
  /** The first change that meets the deadline. */
  readonly least: PlanTrial | null
  /** A recording that alone takes longer than the time left: no number of engines helps. */
  readonly tooLong: { readonly name: string; readonly takesMs: number } | null
}

/**
 * Answers `--by`: tries every change that might help, each with a forecast of its own.
 * @param options.onTry called before each trial
 * @throws the signal's reason
 */
export async function answerDeadline(
  nights: PlanNights,
  asIs: PlannedNight,
  options: { byMs: number; signal: AbortSignal; onTry(change: PlanChange): void },
): Promise<DeadlineAnswer> {
  const { byMs, signal, onTry } = options
  const inTime = (night: PlannedNight) => night.forecast.finishMs <= byMs
  const isMet = inTime(asIs)
  const { nowMs } = nights.basis
  const longest = nights.longest()
  const isTooLong = longest.takesMs > byMs - nowMs
  const trials: PlanTrial[] = []
  const attempt = async (change: PlanChange): Promise<PlanTrial> => {
    onTry(change)
    const night = await nights.night(change, { signal })
    const trial = { change, night, isMet: inTime(night) }
    trials.push(trial)
    return trial
  }
  for (const change of isMet ? [] : possibleChanges(scopeOf(nights, asIs))) {
    const trial = await attempt(change)
    if (change.kind === 'engines' && !trial.isMet && !isTooLong) await moreEngines(trial)
  }
  async function moreEngines(tooFew: PlanTrial): Promise<void> {
    let last = tooFew
    for (let tries = 0; tries < TRIES_MAX && !last.isMet; tries += 1) {
      const { engines, forecast } = last.night
      const takesMs = forecast.finishMs - nowMs
      const leftMs = byMs - nowMs
      const more = enginesNeeded({ engines, takesMs, leftMs, longestMs: longest.takesMs })
      if (more === null || more > ENGINES_MAX) return
      last = await attempt({ kind: 'engines', engines: more })
    }
  }
  const least = trials.find((trial) => trial.isMet) ?? null
  return { byMs, isMet, trials, least, tooLong: !isMet && isTooLong ? longest : null }
}

function scopeOf({ basis }: PlanNights, asIs: PlannedNight) {
  const { settings, facts, recordings } = basis
  const paces = recordings.flatMap(({ pace, isRunning }) => {
    return isRunning || pace === 'max' ? [] : [pace]
  })
  return {
    policy: settings.admission.policy,
    pace: Math.max(0, ...paces),
    floorMs: settings.legs.floorMs,
    engines: facts.length,
    isWaiting: asIs.forecast.waitedMs > 0,
    knowsSteps: facts.every(({ gpu }) => gpu !== null),
  }
}
