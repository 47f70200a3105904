import { STEP_SAMPLES } from '../../model/pcm.js'
import { deltasDue, deltasTotal } from '../../model/step-law.js'

interface WatchedSession {
  samples: number
  deltas: number
  /** Whether the last audio was sent: then the deltas of the tail are due, too. */
  finishing: boolean
  due: boolean
}

/**
 * Tells how long an engine has been stalled: no delta came for any session, although one was due.
 * Nothing else shows a deadlock by a full KV cache. Pure; times are of one monotonic clock.
 */
export class StallWatch {
  private readonly sessions = new Map<number, WatchedSession>()
  private sessionsDue = 0
  private dueSinceMs = 0
  private newestDeltaMs = Number.NEGATIVE_INFINITY

  /** 80 ms of audio were sent. */
  frameSent(session: number, nowMs: number): void {
    const watched = this.watched(session)
    watched.samples += STEP_SAMPLES
    this.judge(watched, nowMs)
  }

  /** All audio was sent. */
  audioEnded(session: number, nowMs: number): void {
    const watched = this.watched(session)
    watched.finishing = true
    this.judge(watched, nowMs)
  }

  deltaReceived(session: number, nowMs: number): void {
    const watched = this.watched(session)
    watched.deltas += 1
    this.newestDeltaMs = nowMs
    this.judge(watched, nowMs)
  }

  /** A session has ended: no delta is due for it any more. */
  ended(session: number): void {
    const watched = this.sessions.get(session)
    if (watched?.due) this.sessionsDue -= 1
    this.sessions.delete(session)
  }

  /** Whether any delta has come at all. */
  get answered(): boolean {
    return this.newestDeltaMs > Number.NEGATIVE_INFINITY
  }

  /** How long no delta has come, in ms; 0 while none is due. */
  stalledMs(nowMs: number): number {
    if (this.sessionsDue === 0) return 0
    return Math.max(0, nowMs - Math.max(this.dueSinceMs, this.newestDeltaMs))
  }

  private judge(watched: WatchedSession, nowMs: number): void {
    const { samples, deltas, finishing } = watched
    const due = (finishing ? deltasTotal(samples) : deltasDue(samples)) > deltas
    if (due === watched.due) return
    watched.due = due
    this.sessionsDue += due ? 1 : -1
    if (due && this.sessionsDue === 1) this.dueSinceMs = nowMs
  }

  private watched(session: number): WatchedSession {
    const known = this.sessions.get(session)
    if (known) return known
    const watched = { samples: 0, deltas: 0, finishing: false, due: false }
    this.sessions.set(session, watched)
    return watched
  }
}
