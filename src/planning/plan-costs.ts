import type { NightForecast } from './night-course.js'

const HOUR_MS = 3_600_000

/** GPU hours and price of a planned night. */
export interface NightCosts {
  /** Hours of all engines together, from the beginning of the night to its end, busy or not. */
  readonly gpuHours: number
  /** Cost of these hours, in the currency of the price; null without a price. */
  readonly cost: number | null
  /** Cost of one hour of a recording, whatever its number of lanes; null without a price. */
  readonly costPerAudioHour: number | null
}

/**
 * What a night costs when its engines run until it is over. Pure.
 * @param options.audioMs length of the recordings that are transcribed, together
 * @param options.pricePerHour the price of each engine; null where one isn't known
 */
export function nightCosts(
  { startMs, finishMs }: Pick<NightForecast, 'startMs' | 'finishMs'>,
  options: { audioMs: number; pricePerHour: readonly (number | null)[] },
): NightCosts {
  const { audioMs, pricePerHour } = options
  const hours = (finishMs - startMs) / HOUR_MS
  const isPriced = pricePerHour.length > 0 && pricePerHour.every((price) => price !== null)
  const cost = isPriced ? pricePerHour.reduce((sum, price) => sum + (price ?? 0), 0) * hours : null
  return {
    gpuHours: hours * pricePerHour.length,
    cost,
    costPerAudioHour: cost === null || audioMs === 0 ? null : (cost * HOUR_MS) / audioMs,
  }
}
