import { STEP_MS } from './pcm.js'

/**
 * The time that one step of an engine takes. A step computes 80 ms of audio for every session, so
 * it must take less than 80 ms with all of them. The costs of the sessions add up because the
 * engine's code that feeds the GPU runs on one thread. The numbers differ by machine: they are
 * calibrated, or from a GPU profile.
 */
export interface StepModel {
  /** Time of a step that doesn't depend on its sessions. */
  readonly baseMs: number
  /** Time added by each session, whatever its age. */
  readonly perSessionMs: number
  /** Time added by each session for each frame of 80 ms that it has received. */
  readonly perFrameMs: number
}

/** Audio that one step computes, in ms, and so the time that a step may take at pace 1. */
export const STEP_BUDGET_MS = STEP_MS

/** Time in ms that a session of that age adds to every step. */
export function stepCostMs(model: StepModel, ageFrames: number): number {
  return model.perSessionMs + model.perFrameMs * ageFrames
}
