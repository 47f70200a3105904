import type { OutcomeCount, StepFigures } from './step-figures.js'

/** A session may take 1 % longer than its audio, or the bound of its step if that is more. */
const OVERRUN_SHARE_MAX = 0.01
/** Above this sender slip (p99), a quarter of a frame, a note says that this program was late. */
const SLIP_NOTED_MS = 20
/** Above this sender slip (p99), a whole frame, the load was another one than planned. */
const SLIP_MAX_MS = 80
/** KV usage from which a stall is a deadlock by a full cache: a session may need several blocks. */
const KV_FULL_USAGE = 0.95
/** Just under 10 min: a step that long has seen the KV cache nearly at its plateau. */
const PLATEAU_HELD_MS = 599_000

/** The bounds that a step must keep. */
export interface VerdictBounds {
  /** Bound for delta lag (p99) and finalization (p95), to which `deltaDelayMs` is added. */
  slaMs: number
  deltaDelayMs: number
  pace: number
  audioMs: number
}

/**
 * Whether an engine holds the load of a step. `unclear`: something went wrong that was not the
 * engine's fault, so the step proves nothing.
 */
export interface StepVerdict {
  verdict: 'holds' | 'fails' | 'unclear'
  /** Why the step doesn't hold: whole sentences; empty where it does. */
  reasons: string[]
  /** What a reader must know besides: whole sentences. */
  notes: string[]
}

/** The verdict on one step. Pure; the rules are in `DEFINITIONS`. */
export function stepVerdict(figures: StepFigures, bounds: VerdictBounds): StepVerdict {
  const notes = notesOf(figures, bounds)
  if (figures.ending === 'stopped') {
    const reason = 'It was stopped before its end.'
    return { verdict: 'unclear', reasons: [reason], notes }
  }
  if (figures.ending === 'warm_up_failed') {
    const reason = `The warm-up utterance failed: ${figures.warm_up_error ?? 'no reason is known.'}`
    return { verdict: 'fails', reasons: [reason], notes }
  }
  const broken = [...standstill(figures), ...badOutcomes(figures)]
  const reasons = [
    ...broken,
    ...lateDeltas(figures, bounds),
    ...lateEnds(figures, bounds),
    ...lost(figures),
  ]
  const slipMs = figures.sender_slip_ms?.p99 ?? 0
  // A late load generator excuses late text, but not sessions that broke or a stalled engine.
  if (slipMs > SLIP_MAX_MS && broken.length === 0) {
    const reason = `The load generator was itself late (slip p99 ${milliseconds(slipMs)}): use a faster or idler machine.`
    return { verdict: 'unclear', reasons: [reason, ...reasons], notes }
  }
  return { verdict: reasons.length > 0 ? 'fails' : 'holds', reasons, notes }
}

function standstill({ ending, kv }: StepFigures): string[] {
  if (ending !== 'deadlock') return []
  const { usage_peak: usage, predicted_peak_blocks: predicted, blocks_max: blocksMax } = kv
  const full =
    usage === null
      ? predicted !== null && blocksMax !== null && predicted >= KV_FULL_USAGE * blocksMax
      : usage >= KV_FULL_USAGE
  if (full || (usage === null && (predicted === null || blocksMax === null))) {
    return [
      "The engine's KV cache is full: deadlock. Every session stood still until all were closed.",
    ]
  }
  const share = Math.round((usage ?? (predicted ?? 0) / (blocksMax ?? 1)) * 100)
  return [`The engine stopped answering every session, with its KV cache at ${share} %.`]
}

function badOutcomes({ outcomes, sessions, ending }: StepFigures): string[] {
  const bad = outcomes.filter(({ outcome }) => outcome !== 'ok')
  // Sessions with the code `deadlock` were closed by this program: they did not break.
  const told = ending === 'deadlock' ? bad.filter(({ code }) => code !== 'deadlock') : bad
  const count = told.reduce((sum, entry) => sum + entry.sessions, 0)
  if (count === 0) return []
  const what = told.map((entry) => `${entry.sessions} × ${outcomeText(entry)}`).join(', ')
  return [`${count} of ${sessions} sessions did not end well: ${what}.`]
}

/** An outcome with its code, such as `closed (close_1012)`. */
export function outcomeText({ outcome, code }: OutcomeCount): string {
  return code === null ? outcome : `${outcome} (${code})`
}

function lateDeltas(figures: StepFigures, { slaMs, deltaDelayMs }: VerdictBounds): string[] {
  const boundMs = slaMs + deltaDelayMs
  const { delta_lag_ms: lag, p95_lag_ms_of_worst_session: worst } = figures
  if (lag === null) return ['No delta came at all.']
  const reasons: string[] = []
  if (lag.p99 > boundMs) {
    reasons.push(`Delta lag p99 is ${milliseconds(lag.p99)}, more than ${milliseconds(boundMs)}.`)
  } else if (worst !== null && worst.ms > boundMs) {
    reasons.push(
      `Session ${worst.session} fared badly: its own lag p95 is ${milliseconds(worst.ms)}.`,
    )
  }
  return reasons
}

function lateEnds(figures: StepFigures, bounds: VerdictBounds): string[] {
  const boundMs = bounds.slaMs + bounds.deltaDelayMs
  const { finalization_ms: finalization, overrun_ms: overrun } = figures
  const reasons: string[] = []
  if (finalization !== null && finalization.p95 > boundMs) {
    reasons.push(
      `Finalisation p95 is ${milliseconds(finalization.p95)}, more than ${milliseconds(boundMs)}.`,
    )
  }
  const overrunMaxMs = Math.max(boundMs, (bounds.audioMs / bounds.pace) * OVERRUN_SHARE_MAX)
  if (overrun !== null && overrun.max > overrunMaxMs) {
    reasons.push(
      `Session ${overrun.worst_session} took ${milliseconds(overrun.max)} longer than its audio, more than ${milliseconds(overrunMaxMs)}.`,
    )
  }
  return reasons
}

function lost({ preemptions, unverified_sessions: unverified }: StepFigures): string[] {
  const reasons: string[] = []
  if (preemptions !== null && preemptions > 0) {
    reasons.push(`The engine preempted ${preemptions} times.`)
  }
  if (unverified > 0) {
    reasons.push(`${unverified} sessions got another number of deltas than their audio gives.`)
  }
  return reasons
}

function notesOf(figures: StepFigures, { deltaDelayMs }: VerdictBounds): string[] {
  const notes: string[] = []
  const slipMs = figures.sender_slip_ms?.p99 ?? 0
  if (slipMs > SLIP_NOTED_MS) {
    notes.push(`The load generator was itself late: slip p99 ${milliseconds(slipMs)}.`)
  }
  if (deltaDelayMs > 0) {
    notes.push(`The engine holds text back by up to ${milliseconds(deltaDelayMs)} by design.`)
  }
  const others = figures.others_connected_max
  if (others !== null && others > 0) {
    notes.push(
      `Up to ${others} connections of others were on the engine; its KV gauge counts them.`,
    )
  }
  if (figures.waiting_capacity_samples > 1) {
    notes.push(
      `The engine kept up to ${figures.waiting_capacity_max} sessions waiting silently (max_num_seqs).`,
    )
  }
  return [...notes, ...outlookNotes(figures)]
}

/** What the KV law predicts for a step that was too short to show it. */
function outlookNotes({ kv_outlook: outlook, held_ms: heldMs, kv, ending }: StepFigures): string[] {
  if (outlook === null || ending !== 'complete' || heldMs >= PLATEAU_HELD_MS) return []
  const { full_after_ms: fullAfterMs, plateau_blocks: plateau } = outlook
  const after = spanText(outlook.plateau_after_ms)
  if (fullAfterMs !== null) {
    return [
      `By the KV law the cache is full after ${spanText(fullAfterMs)} unless sessions are rotated: ${plateau} blocks are wanted after ${after}, and there are ${kv.blocks_max}.`,
    ]
  }
  if (kv.blocks_max === null) return [`By the KV law ${plateau} blocks are held after ${after}.`]
  return [
    `By the KV law it goes on: ${plateau} of ${kv.blocks_max} blocks are held after ${after}.`,
  ]
}

/** A latency as text, such as `640 ms` or `2.1 s`. */
export function milliseconds(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)} ms`
  return `${(durationMs / 1000).toFixed(durationMs < 10_000 ? 1 : 0)} s`
}

/** A length of time as text, such as `45 s` or `4:35 min`. */
export function spanText(durationMs: number): string {
  const seconds = Math.round(durationMs / 1000)
  if (seconds < 60) return `${seconds} s`
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')} min`
}
