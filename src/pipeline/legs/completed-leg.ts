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

/** One leg of a lane whose text is there: a whole one, or what one had come to when it ended. */
export interface CompletedLeg {
  /** Frames of the recording; exclusive at the end. */
  fromFrame: number
  endFrame: number
  /** Frame of the recording at which the leg after it begins. */
  nextFrame: number
  cut: CutOption['kind']
  /** Audio of it, at 16 kHz. */
  samples: number
  /** Received for it, empty ones included. */
  deltas: number
  /** Count and law of steps agree, and for a whole leg the server's own figure: times are exact. */
  verified: boolean
  groups: readonly WordGroup[]
  /** The attempt that replayed the leg, as people see it: 1, 2, 3. */
  attempt: number
  engine: LegEngine
  /** The most that its lease allowed, and that it held by the law. */
  kvBlocks: { granted: number; held: number }
  /** How long the leg held its session, from the lease to its end, in ms. */
  heldMs: number
  /** Lanes on its engine when it ended. */
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
