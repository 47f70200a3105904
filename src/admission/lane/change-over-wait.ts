import { eitherSignal } from '../../kernel/abort.js'
import type { Clock } from '../../kernel/clock.js'
import type { Random } from '../../kernel/random.js'
import type { LegLease } from './leg-lease.js'

/** How often a lane looks for better cuts, when nobody waits for room and when somebody does. */
const REPLAN_MS = 30_000
const REPLAN_PRESSED_MS = 4_000
/** A cut that is nearer than this isn't moved: the change-over begins. */
export const FIX_AHEAD_MS = 300

/** What the wait for a change-over goes by. */
export interface ChangeOverWait {
  clock: Clock
  random: Random
  /** When the next session is to be opened, as it looks now. */
  changeMs(): number
  /** Somebody waits for room. */
  isPressed(): boolean
  /** Aborted once the end of a growing lane is known: then the leg's end is moved at once. */
  completed: AbortSignal | null
  /** Looks for better cuts, and moves the leg's end. */
  replan(): Promise<void>
}

/**
 * Sleeps until the leg after a running one is to be opened, looking for better cuts meanwhile.
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
    // Asked anew at every look: who needs room may come at any moment.
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
