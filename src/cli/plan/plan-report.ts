import { isoTime } from '../../kernel/clock.js'
import type { JobForecast } from '../../planning/night-course.js'
import type { PlanChange } from '../../planning/plan-changes.js'
import type { DeadlineAnswer } from './plan-deadline.js'
import type { PlanEngines } from './plan-engines.js'
import type { PlannedNight } from './plan-nights.js'
import type { PlanRecording } from './plan-recording.js'
import type { PlanSources } from './plan-sources.js'
import { mostCarried } from './plan-text.js'

/** All results of a plan. */
export interface PlanFindings {
  readonly nowMs: number
  readonly sources: PlanSources
  readonly engines: PlanEngines
  /** Sentences on what was assumed, and on what is wrong. */
  readonly notes: readonly string[]
  /** The night under the chosen policy. */
  readonly night: PlannedNight
  /** The nights of all policies, the chosen one included; null where they were not compared. */
  readonly compared: readonly PlannedNight[] | null
  /** Whether the deadline is met, and what would help; null where none was given. */
  readonly deadline: DeadlineAnswer | null
}

/** The document that `plan --json` prints. Times are ISO 8601, durations ms. */
export function planJson(findings: PlanFindings): object {
  const { nowMs, sources, engines, notes, night, compared, deadline } = findings
  const { recordings, unreadable, from } = sources
  const byId = new Map(recordings.map((recording) => [recording.id, recording]))
  const { forecast } = night
  return {
    schema: 'nightscribe.plan/1',
    planned_at: isoTime(nowMs),
    source: from,
    recordings: recordings.length,
    audio_ms: recordings.reduce((sum, { durationMs }) => sum + durationMs, 0),
    engines: {
      source: engines.source,
      each: forecast.engines.map(({ id, lanesMax, legMs }, at) => ({
        name: id,
        gpu: engines.facts[at]?.gpu?.name ?? null,
        lanes_max: lanesMax,
        leg_ms: legMs === null ? null : Math.round(legMs),
      })),
    },
    night: nightJson(night),
    policies: compared?.map(nightJson) ?? null,
    by: deadline && deadlineJson(deadline),
    jobs: forecast.jobs.map((job) => jobJson(job, byId.get(job.jobId))),
    refused: forecast.refused.map(({ jobId, sentence }) => ({
      id: jobId,
      name: byId.get(jobId)?.name ?? null,
      reason: sentence,
    })),
    unreadable,
    notes,
  }
}

function nightJson({ policy, engines, forecast, costs }: PlannedNight): object {
  const { startMs, finishMs } = forecast
  const { lanes, legMs } = mostCarried(forecast.engines)
  return {
    policy,
    engines,
    start_at: isoTime(startMs),
    finish_at: isoTime(finishMs),
    duration_ms: Math.round(finishMs - startMs),
    lanes_max: lanes,
    leg_ms: legMs === null ? null : Math.round(legMs),
    gpu_hours: rounded(costs.gpuHours),
    cost: rounded(costs.cost),
    cost_per_audio_hour: rounded(costs.costPerAudioHour),
  }
}

function deadlineJson({ byMs, isMet, trials, least }: DeadlineAnswer): object {
  return {
    at: isoTime(byMs),
    met: isMet,
    changes: trials.map(({ change, night, isMet: met }) => {
      return { ...changeJson(change), met, night: nightJson(night) }
    }),
    least_change: least && changeJson(least.change),
  }
}

function changeJson(change: PlanChange): object {
  switch (change.kind) {
    case 'policy':
      return { change: 'policy', policy: change.policy }
    case 'pace':
      return { change: 'pace', pace: change.pace }
    case 'floor':
      return { change: 'floor', floor_ms: change.floorMs }
    case 'engines':
      return { change: 'engines', engines: change.engines }
  }
}

function jobJson(job: JobForecast, recording: PlanRecording | undefined): object {
  const { deadlineMs = null } = recording ?? {}
  return {
    id: job.jobId,
    name: recording?.name ?? null,
    duration_ms: recording?.durationMs ?? null,
    length_from: recording?.lengthFrom ?? null,
    running: recording?.isRunning ?? false,
    start_at: isoTime(job.startMs),
    finish_at: isoTime(job.finishMs),
    engine: job.engine,
    deadline_at: deadlineMs === null ? null : isoTime(deadlineMs),
    in_time: deadlineMs === null ? null : job.finishMs <= deadlineMs,
  }
}

/** Rounded to 4 decimals, enough for prices and hours. */
function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value * 10_000) / 10_000
}
