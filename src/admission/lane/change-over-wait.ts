import { eitherSignal } from '../../kernel/abort.js'
import type { Clock } from '../../kernel/clock.js'
import type { Random } from '../../kernel/random.js'
import type { LegLease } from './leg-lease.js'

/** Time between two searches for better cuts of a running leg: 15 to 45 s, at random. */
const REPLAN_MS = 30_000
/** The same while other lanes wait for room: 2 to 6 s. */
const REPLAN_PRESSED_MS = 4_000
/** A cut that is less than 0.3 s ahead isn't moved any more: the change of legs begins. */
export const FIX_AHEAD_MS = 300

/** What the wait for a change of legs needs. */
export interface ChangeOverWait {
  clock: Clock
  random: Random
  /** When the next session is to be opened by the current plan; moves with the leg's end. */
  changeMs(): number
  /** Whether better cuts are urgent, for example because other lanes wait for room. */
  isPressed(): boolean
  /** Aborted once the end of a growing lane is known: then the leg's end is moved at once. */
  completed: AbortSignal | null
  /** Searches better cuts, and moves the leg's end. */
  replan(): Promise<void>
}

/**
 * Sleeps until the leg after a running one is to be opened, and searches better cuts meanwhile.
 * Returns early when the session has ended. @throws what `replan` throws; the signal's reason
 */
export async function untilChangeOver(
  running: LegLease,
  wait: ChangeOverWait,
  { signal }: { signal: AbortSignal },
): Promise<void> {
  const { clock, random, completed } = wait
  let plannedMs = clock.monotonicMs()
  let share = 0.5 + random.uniform()
  let isToComplete = completed !== null && !completed.aborted
  for (;;) {
    const changeMs = wait.changeMs()
    const nowMs = clock.monotonicMs()
    if (nowMs >= changeMs || running.ended.aborted) return
    // Asked in every round: a lane that needs room may come at any moment.
    const replanMs = plannedMs + (wait.isPressed() ? REPLAN_PRESSED_MS : REPLAN_MS) * share
    const isCompleted = isToComplete && completed?.aborted === true
    const wakes = isToComplete && completed ? [running.ended, completed] : [running.ended]
    if (isCompleted) {
      isToComplete = false
      await wait.replan()
    } else if (changeMs - nowMs <= FIX_AHEAD_MS) {
      await sleepUnlessWoken(clock, changeMs, { signal, wakes })
    } else if (nowMs >= replanMs) {
      await wait.replan()
      plannedMs = clock.monotonicMs()
      share = 0.5 + random.uniform()
    } else {
      const lookMs = Math.min(replanMs, nowMs + REPLAN_PRESSED_MS)
      await sleepUnlessWoken(clock, Math.min(changeMs - FIX_AHEAD_MS, lookMs), { signal, wakes })
    }
  }
}

/** Wakes early when one of `wakes` is aborted. @throws the signal's reason */
async function sleepUnlessWoken(
  clock: Clock,
  dueMs: number,
  { signal, wakes }: { signal: AbortSignal; wakes: readonly AbortSignal[] },
): Promise<void> {
  using either = eitherSignal(signal, ...wakes)
  try {
    await clock.sleepUntil(dueMs, either)
  } catch (error) {
    if (signal.aborted) throw error
  }
}
