import type { KvModel } from '../../model/kv-model.js'
import { STEP_MS } from '../../model/pcm.js'
import { DEFINITIONS } from './definitions.js'
import type { StepFigures } from './step-figures.js'
import { type StepVerdict, spanText, stepVerdict } from './verdict.js'
import type { YapLine } from './yap-view.js'

/** The engine that was swept; null for what it doesn't tell. */
export interface SweptEngine {
  /** Address of the engine, without credentials. */
  url: string
  model: string
  version: string | null
  /** Whether it is the stand-in engine: then no GPU was measured. */
  isStandin: boolean
  maxModelLen: number | null
  deltaDelayMs: number
  /** Name of the GPU profile, the setting `engine.gpu`. */
  gpu: string | null
  /** The setting `engine.pricePerHour`; null where it isn't set. */
  pricePerHour: number | null
  kvBlocksMax: number | null
  kvModel: KvModel | null
}

/** The load that the sweep offered to the engine. */
export interface OfferedLoad {
  /** Numbers of sessions of all steps that were asked for, ascending. */
  sessions: readonly number[]
  seconds: number
  pace: number
  slaMs: number
  staggerMs: number
  seed: number
  /** How sessions were admitted; `none`: they connected without asking. */
  limiter: string
  audio: { name: string; durationMs: number; speechShare: number }
}

/** The facts of a sweep, without what its steps measured. */
export interface SweepFacts {
  sweepId: string
  /** Times of begin and end, ISO 8601. */
  startedAt: string
  endedAt: string
  /** Whether a signal ended it early. */
  stopped: boolean
  /** Version of Nightscribe. */
  nightscribe: string
  /** The machine that the load came from, for people. */
  machine: string
  engine: SweptEngine
  load: OfferedLoad
  /** Sentences about trouble that did not end the sweep. */
  notes: readonly string[]
}

/** A step with its verdict and the lines of the yap-compatible view. */
export type StepReport = StepFigures &
  StepVerdict & { cost_per_audio_hour: number | null } & {
    yap_view: YapLine[]
  }

/** The content of `report.json`, ready for JSON. */
export type SweepReport = ReturnType<typeof sweepReport>

/** Gives a step its verdict and its cost. Pure. */
export function stepReport(
  figures: StepFigures,
  yapView: YapLine[],
  { engine, load }: Pick<SweepFacts, 'engine' | 'load'>,
): StepReport {
  const { slaMs, pace } = load
  const { deltaDelayMs, pricePerHour } = engine
  const { x_realtime: speed, audio_ms: audioMs } = figures
  return {
    ...figures,
    ...stepVerdict(figures, { slaMs, deltaDelayMs, pace, audioMs }),
    cost_per_audio_hour:
      pricePerHour === null || speed === null
        ? null
        : Math.round((pricePerHour / speed) * 10_000) / 10_000,
    yap_view: yapView,
  }
}

/** The whole report. Pure. */
export function sweepReport(facts: SweepFacts, steps: readonly StepReport[]) {
  const { engine, load } = facts
  return {
    schema: 'nightscribe.sweep/1' as const,
    sweep_id: facts.sweepId,
    started_at: facts.startedAt,
    ended_at: facts.endedAt,
    stopped: facts.stopped,
    nightscribe: facts.nightscribe,
    machine: facts.machine,
    engine: {
      url: engine.url,
      model: engine.model,
      version: engine.version,
      is_standin: engine.isStandin,
      max_model_len: engine.maxModelLen,
      delta_delay_ms: engine.deltaDelayMs,
      gpu: engine.gpu,
      price_per_hour: engine.pricePerHour,
      kv_blocks_max: engine.kvBlocksMax,
      kv_block_tokens: engine.kvModel?.blockTokens ?? null,
      kv_encoder_window_tokens: engine.kvModel?.encoderWindowTokens ?? null,
    },
    load: {
      sessions: [...load.sessions],
      seconds: load.seconds,
      pace: load.pace,
      sla_ms: load.slaMs,
      stagger_ms: load.staggerMs,
      seed: load.seed,
      limiter: load.limiter,
      audio: {
        name: load.audio.name,
        duration_ms: Math.round(load.audio.durationMs),
        speech_share: Math.round(load.audio.speechShare * 1000) / 1000,
      },
    },
    result: resultOf(steps, load),
    notes: [...facts.notes],
    steps: [...steps],
    definitions: DEFINITIONS,
  }
}

function resultOf(steps: readonly StepReport[], { sessions }: OfferedLoad) {
  const held = steps.filter(({ verdict }) => verdict === 'holds').at(-1) ?? null
  const failed = steps.find(({ verdict }) => verdict === 'fails') ?? null
  return {
    highest_held: held?.sessions ?? null,
    held_ms: held?.held_ms ?? null,
    lowest_failed: failed?.sessions ?? null,
    knee: kneeOf(steps),
    sentence: sentenceOf(held, failed, sessions),
    /** Why the lowest step that fails does. */
    because: failed?.reasons ?? [],
    outlook: outlookOf(held),
  }
}

/** Sessions of the step at the knee, as `DEFINITIONS.knee` says; null where there is none. */
export function kneeOf(steps: readonly StepReport[]): number | null {
  const base = steps[0]?.delta_lag_ms?.p99
  if (base === undefined) return null
  const bend = steps.findIndex((step) => (step.delta_lag_ms?.p99 ?? base) > base + STEP_MS)
  return steps[bend - 1]?.sessions ?? null
}

function sentenceOf(
  held: StepReport | null,
  failed: StepReport | null,
  wanted: readonly number[],
): string {
  if (held === null) {
    return failed === null
      ? 'Nothing can be said: no step ran to its end undisturbed.'
      : `Not even ${failed.sessions} sessions hold.`
  }
  const most = `${held.sessions} sessions hold (for ${spanText(held.held_ms)})`
  if (failed !== null) return `${most}, ${failed.sessions} do not.`
  return `${most}${held.sessions === wanted.at(-1) ? ', the most that was tried' : ''}.`
}

/** When the KV cache would be full if the highest step that holds went on; null if it never is. */
function outlookOf(held: StepReport | null): string | null {
  const fullAfterMs = held?.kv_outlook?.full_after_ms ?? null
  if (held === null || fullAfterMs === null || fullAfterMs <= held.held_ms) return null
  return `By the KV law these ${held.sessions} fill the cache after ${spanText(fullAfterMs)} unless they are rotated.`
}
