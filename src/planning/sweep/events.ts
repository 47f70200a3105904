import assert from 'node:assert/strict'
import { tenths } from '../../latency/latency-histogram.js'
import type { KvModel } from '../../model/kv-model.js'

/** The schema that the first line of `events.ndjson` names. */
export const EVENTS_SCHEMA = 'nightscribe.sweep-events/1'

/** How a session of a sweep ended. */
export type SessionOutcome = 'ok' | 'rejected' | 'error' | 'timeout' | 'closed'

/** How a step ended: by itself, by a deadlock, by a signal, or because its warm-up failed. */
export type StepEnding = 'complete' | 'deadlock' | 'stopped' | 'warm_up_failed'

/** The first line of the file: which sweep its events are of. */
export interface SweepStarted {
  kind: 'sweep_started'
  schema: typeof EVENTS_SCHEMA
  sweepId: string
  /** ISO 8601; every `atMs` counts from this moment. */
  startedAt: string
}

/** The begin of a step, with everything that its figures need besides the later events. */
export interface StepStarted {
  kind: 'step_started'
  atMs: number
  sessions: number
  pace: number
  /** Length of the audio that each session gets. */
  audioMs: number
  /** Time by which the engine holds deltas back beyond the model's own delay. */
  deltaDelayMs: number
  /** KV blocks that sessions can have; null where that isn't known. */
  kvBlocksMax: number | null
  /** The KV law by which blocks are predicted; null where the model has none. */
  kvModel: KvModel | null
  /** WebSocket connections right before the step, none of them ours; null where not told. */
  othersConnected: number | null
}

/** The engine's own gauges, read once a second; null for a gauge that it doesn't tell. */
export interface GaugesRead {
  kind: 'gauges'
  /** When the answer had come. */
  atMs: number
  requestedMs: number
  /** Share of the KV blocks that are held, 0 to 1; of the fullest engine core. */
  kvUsage: number | null
  /** KV blocks that all sessions of the engine hold, not only ours. */
  kvBlocks: number | null
  waitingCapacity: number | null
  deferred: number | null
  preemptions: number | null
  websocketConnections: number | null
}

/**
 * One line of `events.ndjson`. Times are ms since the start of the sweep, of one monotonic clock,
 * and never go back; `session` is 0-based within its step.
 */
export type SweepEvent =
  | SweepStarted
  | StepStarted
  | { kind: 'warmed_up'; atMs: number; durationMs: number }
  | { kind: 'warm_up_failed'; atMs: number; code: string; detail: string }
  /** The planned time of this session has come. */
  | { kind: 'arrived'; session: number; atMs: number }
  /** The session was admitted, and begins to connect. */
  | { kind: 'opened'; session: number; atMs: number }
  /** `session.created` came. */
  | { kind: 'created'; session: number; atMs: number }
  /** 80 ms of audio were sent, `slipMs` after they were due. */
  | { kind: 'frame'; session: number; atMs: number; slipMs: number }
  /** The last frame was sent; the final commit follows at once. */
  | { kind: 'audio_ended'; session: number; atMs: number }
  | { kind: 'delta'; session: number; atMs: number; hasText: boolean }
  /** `transcription.done` came. */
  | { kind: 'done'; session: number; atMs: number }
  | SessionEnded
  | GaugesRead
  | { kind: 'step_ended'; atMs: number; ending: StepEnding }

/** A session has ended; its socket is closed. */
export interface SessionEnded {
  kind: 'ended'
  session: number
  atMs: number
  outcome: SessionOutcome
  /** Why it ended, for programs: an error code, `http_503`, `close_1012`; null when all is well. */
  code: string | null
  /** Whether deltas, usage and step law agree; null for a session that ended before its `done`. */
  verified: boolean | null
  textChars: number | null
}

/**
 * The line of an event, without its end. Frames and deltas, nearly all lines of a file, are short
 * arrays.
 */
export function encodeEvent(event: SweepEvent): string {
  if (event.kind === 'frame') {
    return `["f",${event.session},${tenths(event.atMs)},${tenths(event.slipMs)}]`
  }
  if (event.kind === 'delta') {
    return `["d",${event.session},${tenths(event.atMs)},${event.hasText ? 1 : 0}]`
  }
  return JSON.stringify(renamed(event, toSnake), (key, value) => {
    if (typeof value !== 'number') return value
    return key.endsWith('_ms') ? tenths(value) : Math.round(value * 10_000) / 10_000
  })
}

/** The event of a line that `encodeEvent` wrote. Its shape isn't checked. */
export function decodeEvent(line: string): SweepEvent {
  const json: unknown = JSON.parse(line)
  if (Array.isArray(json)) {
    const [kind, session, atMs, last] = json as [string, number, number, number]
    if (kind === 'f') return { kind: 'frame', session, atMs, slipMs: last }
    assert.equal(kind, 'd', 'an array is a frame or a delta')
    return { kind: 'delta', session, atMs, hasText: last === 1 }
  }
  return renamed(json, toCamel) as SweepEvent
}

function renamed(value: unknown, rename: (key: string) => string): unknown {
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [rename(key), renamed(inner, rename)]),
  )
}

function toSnake(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

function toCamel(key: string): string {
  return key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
