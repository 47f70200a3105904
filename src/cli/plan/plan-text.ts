import { printable } from '../../app/printable.js'
import type { PlanChange } from '../../planning/plan-changes.js'
import { timeText } from '../jobs/job-report.js'
import { clockText } from '../terminal.js'
import type { DeadlineAnswer } from './plan-deadline.js'
import type { PlannedNight } from './plan-nights.js'

/** `at pace 1.25`, as the end of a sentence about a night. */
export function changeText(change: PlanChange): string {
  switch (change.kind) {
    case 'policy':
      return `with the policy ${change.policy}`
    case 'pace':
      return `at pace ${change.pace}`
    case 'floor':
      return `with legs from ${change.floorMs / 1000} s`
    case 'engines':
      return `with ${change.engines} engines`
  }
}

/** What the operator does to make a change. */
function howTo(change: PlanChange): string {
  switch (change.kind) {
    case 'policy':
      return `set admission.policy (NIGHTSCRIBE_ADMISSION_POLICY) to ${change.policy}`
    case 'pace':
      return `submit with --pace ${change.pace}`
    case 'floor':
      return `set legs.floorMs (NIGHTSCRIBE_LEGS_FLOOR_MS) to ${change.floorMs}; each session then has less audio before a word`
    case 'engines':
      return 'start them and name each in NIGHTSCRIBE_ENGINES'
  }
}

/** When a night ends, and what it costs. */
export function nightSentences(night: PlannedNight, nowMs: number): string[] {
  const { policy, forecast, engines } = night
  const { finishMs, startMs, jobs } = forecast
  if (jobs.length === 0) return ['None of it can be transcribed.']
  const takes = clockText(finishMs - startMs)
  const lanes = lanesText(night)
  return [
    `All done ${timeText(finishMs, nowMs)}, in ${takes}: ${lanes}, policy ${policy}.`,
    costSentence(night, engines),
  ]
}

/** `up to 231 lanes at a time in legs of about 34 s`. */
export function lanesText({ forecast, policy }: PlannedNight): string {
  const { lanes, legMs } = mostCarried(forecast.engines)
  const at = `up to ${lanes} ${lanes === 1 ? 'lane' : 'lanes'} at a time`
  if (legMs === null || policy !== 'elastic') return at
  return `${at}, in legs of about ${legText(legMs)}`
}

function legText(legMs: number): string {
  return legMs < 120_000 ? `${Math.round(legMs / 1000)} s` : `${Math.round(legMs / 60_000)} min`
}

/** The most lanes on all engines together, and the shortest legs, in ms. */
export function mostCarried(engines: PlannedNight['forecast']['engines']): {
  lanes: number
  legMs: number | null
} {
  const lanes = engines.reduce((sum, { lanesMax }) => sum + lanesMax, 0)
  const legs = engines.flatMap(({ legMs }) => legMs ?? [])
  return { lanes, legMs: legs.length === 0 ? null : Math.min(...legs) }
}

function costSentence({ costs }: PlannedNight, engines: number): string {
  const { gpuHours, cost, costPerAudioHour } = costs
  if (gpuHours === 0) return 'No GPU-hours: a stand-in runs on the CPU.'
  const hours = `${gpuHours.toFixed(1)} GPU-hours on ${engines === 1 ? '1 engine' : `${engines} engines`}`
  if (cost === null) return `${hours}; no price is known (--price, or engine.pricePerHour).`
  const perHour =
    costPerAudioHour === null ? '' : `, ${priceText(costPerAudioHour)} an hour of audio`
  return `${hours}: ${priceText(cost)} in all${perHour}.`
}

/** A price with 2 decimals, or 2 significant digits below 1. */
export function priceText(price: number): string {
  return price >= 1 || price === 0 ? price.toFixed(2) : price.toPrecision(2)
}

/** The policies side by side, as rows of a table. */
export function policyRows(nights: readonly PlannedNight[], nowMs: number): string[][] {
  const heading = ['policy', 'done', 'takes', 'lanes', 'GPU-hours', 'an hour of audio']
  const rows = nights.map((night) => {
    const { policy, forecast, costs } = night
    const { finishMs, startMs, engines } = forecast
    const perHour = costs.costPerAudioHour
    return [
      policy,
      timeText(finishMs, nowMs),
      clockText(finishMs - startMs),
      String(mostCarried(engines).lanes),
      costs.gpuHours.toFixed(1),
      perHour === null ? '-' : priceText(perHour),
    ]
  })
  return [heading, ...rows]
}

/**
 * Whether the deadline is met; if not, which changes were tried, and which of them would meet it.
 */
export function deadlineSentences(
  answer: DeadlineAnswer,
  options: { finishMs: number; nowMs: number },
): { sentences: string[]; rows: string[][]; conclusion: string[] } {
  const { byMs, isMet, trials, least, tooLong } = answer
  const { finishMs, nowMs } = options
  const by = timeText(byMs, nowMs).replace(/^at /, '')
  if (isMet) {
    const spare = clockText(byMs - finishMs)
    return { sentences: [`It makes ${by}, with ${spare} to spare.`], rows: [], conclusion: [] }
  }
  const rows = trials.map((trial) => [
    changeText(trial.change),
    `done ${timeText(trial.night.forecast.finishMs, nowMs)}`,
    trial.isMet ? 'makes it' : 'too late',
  ])
  return {
    sentences: [`It does not make ${by}: it is ${clockText(finishMs - byMs)} late.`],
    rows,
    conclusion: [
      ...(tooLong === null ? [] : [tooLongSentence(tooLong)]),
      least === null
        ? hopeless(trials.length)
        : `The least change that makes it: ${changeText(least.change)}; ${howTo(least.change)}.`,
    ],
  }
}

function hopeless(tried: number): string {
  if (tried > 0) return 'None of these alone makes it.'
  return 'No recording waits for room, so neither shorter legs nor more engines gain anything.'
}

function tooLongSentence({ name, takesMs }: { name: string; takesMs: number }): string {
  return `No number of engines makes it: ${shortened(name)} alone takes ${clockText(takesMs)}.`
}

/** Widest name in a line, in characters. */
const NAME_CHARS_MAX = 48

/** The end of a long name, without control characters. */
export function shortened(name: string): string {
  const clean = printable(name)
  return clean.length <= NAME_CHARS_MAX ? clean : `…${clean.slice(1 - NAME_CHARS_MAX)}`
}
