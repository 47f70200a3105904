import { type KvModel, kvBlocksHeld } from '../../../src/model/kv-model.js'
import type { LoggedSession } from './session-log.js'

/** What of a session's log the law is about. */
export type HeldSession = Pick<LoggedSession, 'openedMs' | 'closedMs' | 'deltasMs'>

/** An engine's own figure for its KV cache; times are of the clock of the sessions' log. */
export interface KvLook {
  readonly askedMs: number
  readonly answeredMs: number
  readonly measuredBlocks: number
}

/** What the law over the deltas received says to one look. */
export interface LawVerdict {
  /** From the measured blocks to the nearest value that the law has in the look's window. */
  readonly offBlocks: number
  /**
   * Sessions that held blocks within the window. Where it is 0 the look says nothing: an engine
   * without work takes no step, and its figures stand still.
   */
  readonly sessions: number
  /** No session was opened or closed within a second of the look. */
  readonly isQuiet: boolean
}

/** The figure is of some moment around the question: deltas and figures cross on their way. */
const WINDOW_MS = 100
/** A session that opens or closes is counted here and there at different moments. */
const QUIET_MS = 1_000

/** Compares one look with the law at every moment of its window. Pure. */
export function judgeLook(
  model: KvModel,
  sessions: readonly HeldSession[],
  { askedMs, answeredMs, measuredBlocks }: KvLook,
): LawVerdict {
  const fromMs = askedMs - WINDOW_MS
  const untilMs = answeredMs + WINDOW_MS
  const holding = sessions.filter((session) => holdsWithin(session, fromMs, untilMs))
  const momentsMs = [
    fromMs,
    ...holding.flatMap(({ deltasMs, closedMs }) => [...deltasMs, closedMs]),
  ]
  let offBlocks = Number.POSITIVE_INFINITY
  for (const atMs of momentsMs) {
    if (atMs === null || atMs < fromMs || atMs > untilMs) continue
    const blocks = holding.reduce((sum, session) => sum + blocksAt(model, session, atMs), 0)
    offBlocks = Math.min(offBlocks, Math.abs(measuredBlocks - blocks))
  }
  const around = [askedMs - QUIET_MS, answeredMs + QUIET_MS] as const
  const isQuiet = !sessions.some(({ openedMs, closedMs }) =>
    [openedMs, closedMs].some((ms) => ms !== null && ms >= around[0] && ms <= around[1]),
  )
  return { offBlocks, sessions: holding.length, isQuiet }
}

function holdsWithin(session: HeldSession, fromMs: number, untilMs: number): boolean {
  const { deltasMs, closedMs } = session
  const firstMs = deltasMs[0] ?? Number.POSITIVE_INFINITY
  return firstMs <= untilMs && (closedMs === null || closedMs >= fromMs)
}

function blocksAt(model: KvModel, session: HeldSession, atMs: number): number {
  if (session.closedMs !== null && session.closedMs <= atMs) return 0
  const received = session.deltasMs.filter((ms) => ms <= atMs).length
  return kvBlocksHeld(model, received)
}
