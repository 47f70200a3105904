import { STEP_MS } from './pcm.js'

/**
 * What one step of an engine costs: every 80 ms of audio each session takes part in one, and all
 * of them together must take less than 80 ms. The parts add up because the engine's own code
 * before the GPU runs on one thread. Differs by machine: calibrated, or from a GPU profile.
 */
export interface StepModel {
  /** Of a step, whoever takes part. */
  readonly baseMs: number
  /** For each session, whatever its age. */
  readonly perSessionMs: number
  /** For each session and each frame of 80 ms that it has heard. */
  readonly perFrameMs: number
}

/** Audio that one step computes, and so the time that a step may take at pace 1. */
export const STEP_BUDGET_MS = STEP_MS

/** What a session of so many frames adds to every step. */
export function stepCostMs(model: StepModel, ageFrames: number): number {
  return model.perSessionMs + model.perFrameMs * ageFrames
}
