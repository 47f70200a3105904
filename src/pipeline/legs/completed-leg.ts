import type { CutOption } from '../../admission/legs/cut-option.js'
import type { MsRange } from '../../kernel/ms-range.js'
import type { FailedRerun } from '../../transcript/coverage-report.js'
import type { WordGroup } from '../../transcript/words/align.js'

/** What a result says of the engine that ran a leg. */
export interface LegEngine {
  model: string
  version: string | null
  isStandin: boolean
}

/** A leg whose text has come back: a whole one, or one that broke, up to its last safe cut. */
export interface CompletedLeg {
  /** Frames of the recording; exclusive at the end. */
  fromFrame: number
  endFrame: number
  /** Frame of the recording at which the leg after it begins. */
  nextFrame: number
  cut: CutOption['kind']
  /** Samples of its audio, at 16 kHz. */
  samples: number
  /** Deltas received for it, empty ones included. */
  deltas: number
  /**
   * True where the times of its words are exact: the count of deltas agrees with the step law and,
   * for a whole leg, with the engine's usage figure.
   */
  verified: boolean
  groups: readonly WordGroup[]
  /** The attempt that replayed the leg, as people see it: 1, 2, 3. */
  attempt: number
  engine: LegEngine
  /** Blocks of KV cache: the most that its lease allowed, and the most that it held. */
  kvBlocks: { granted: number; held: number }
  /** How long the leg held its session, from the lease to its end, in ms. */
  heldMs: number
  /** Lanes that ran on its engine when the leg ended. */
  lanesRunning: number
}

/** What came back for one lane. */
export interface CompletedLane {
  /** 0-based channel; null for the mix. */
  channel: number | null
  /** In order. */
  legs: CompletedLeg[]
  /** Windows that were replayed once more because speech had no text: see `auditCoverage`. */
  reruns?: readonly CompletedRerun[]
  /** Windows that were to be replayed once more, and could not be. */
  failedReruns?: readonly FailedRerun[]
}

/** What an engine returned for a window of a lane the second time. */
export interface CompletedRerun {
  /** Speech without text that the window was replayed for; in order. */
  holesMs: readonly MsRange[]
  /** In order. */
  legs: readonly CompletedLeg[]
}
