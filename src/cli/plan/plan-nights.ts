import type { Policy } from '../../admission/load/engine-plan.js'
import type { SessionDemand } from '../../admission/pool/session-pool.js'
import type { Settings } from '../../config/schema.js'
import type { EngineFacts } from '../../engines/read-engine.js'
import type { NightForecast } from '../../planning/night-course.js'
import { forecastNight } from '../../planning/night-forecast.js'
import { LaneMeasurements } from '../../planning/night-lanes.js'
import type { PlanChange } from '../../planning/plan-changes.js'
import { type NightCosts, nightCosts } from '../../planning/plan-costs.js'
import { forecastEngines, withEngines } from './plan-engines.js'
import { demandsOf, type PlanRecording } from './plan-recording.js'

/** What all forecast nights of a plan have in common. */
export interface PlanBasis {
  readonly settings: Settings
  readonly facts: readonly EngineFacts[]
  readonly recordings: readonly PlanRecording[]
  readonly ceiling: 'on' | 'off'
  readonly seed: number
  /** Price of one engine for one hour; null: from the setting, or from the engine's GPU profile. */
  readonly pricePerHour: number | null
  /** When the night begins, in ms of the Unix epoch. */
  readonly nowMs: number
}

/** One forecast night. */
export interface PlannedNight {
  readonly policy: Policy
  readonly engines: number
  readonly forecast: NightForecast
  readonly costs: NightCosts
}

/**
 * Forecasts the same recordings under different changes. Measurements made for one night are reused
 * for the others where they still apply.
 */
export class PlanNights {
  readonly basis: PlanBasis
  /** Recordings to plan, by the pace asked for; 0 means each recording's own pace. */
  private readonly offers = new Map<
    number,
    { demands: SessionDemand[]; measured: LaneMeasurements }
  >()

  constructor(basis: PlanBasis) {
    this.basis = basis
  }

  /** Forecasts the night with a change, or unchanged. @throws ConfigError; the signal's reason */
  async night(
    change: PlanChange | null,
    { signal }: { signal: AbortSignal },
  ): Promise<PlannedNight> {
    const { basis } = this
    const settings = changedSettings(basis.settings, change)
    const { policy, agingMs } = settings.admission
    const count = change?.kind === 'engines' ? change.engines : basis.facts.length
    const facts = withEngines(basis.facts, count)
    const { demands, measured } = this.offer(change?.kind === 'pace' ? change.pace : null)
    const engines = forecastEngines(settings, facts, { ceiling: basis.ceiling })
    const night = { engines, jobs: demands, startMs: basis.nowMs, agingMs, measured }
    const forecast = await forecastNight(night, { signal })
    // A stand-in has no GPU and so no price.
    const gpus = facts.filter(({ description }) => !description.isStandin)
    const costs = nightCosts(forecast, {
      audioMs: this.audioMs(forecast),
      pricePerHour: gpus.map((each) => this.priceOf(each)),
    })
    return { policy, engines: facts.length, forecast, costs }
  }

  /** The recording that takes longest once it has begun: no night can be shorter. */
  longest(): { name: string; takesMs: number } {
    let longest = { name: '', takesMs: 0 }
    for (const { name, lanes } of this.offer(null).demands) {
      const takesMs = Math.max(...lanes.map(({ remainingMs }) => remainingMs))
      if (takesMs > longest.takesMs) longest = { name, takesMs }
    }
    return longest
  }

  private priceOf({ gpu }: EngineFacts): number | null {
    const { pricePerHour, settings } = this.basis
    return pricePerHour ?? settings.engine.pricePerHour ?? gpu?.pricePerHour ?? null
  }

  private audioMs({ jobs }: NightForecast): number {
    const planned = new Set(jobs.map(({ jobId }) => jobId))
    return this.basis.recordings
      .filter(({ id }) => planned.has(id))
      .reduce((sum, { durationMs, doneMs }) => sum + Math.max(0, durationMs - doneMs), 0)
  }

  private offer(pace: number | null) {
    const { recordings, settings, seed } = this.basis
    const known = this.offers.get(pace ?? 0)
    if (known) return known
    const demands = demandsOf(recordings, settings, { seed, pace })
    const offer = { demands, measured: new LaneMeasurements() }
    this.offers.set(pace ?? 0, offer)
    return offer
  }
}

function changedSettings(settings: Settings, change: PlanChange | null): Settings {
  const { admission, legs } = settings
  switch (change?.kind) {
    case 'policy':
      return { ...settings, admission: { ...admission, policy: change.policy } }
    case 'floor':
      return { ...settings, legs: { ...legs, floorMs: change.floorMs } }
    default:
      return settings
  }
}
