import { STEP_MS, samplesToMs } from '../../model/pcm.js'
import type { AnalysisDocument } from '../../storage/documents/analysis-document.js'
import type { TranscriptLane, TranscriptLeg } from '../../transcript/assemble.js'
import type { CompletedLane, CompletedLeg } from './completed-leg.js'

/**
 * A lane in the form that a transcript is assembled from. Its legs keep the ranges that were sent;
 * where two overlap, the assembly decides whose text counts. Pure.
 * @param index 0-based, of the lane in the analysis
 */
export function transcriptLane(
  analysis: AnalysisDocument,
  completed: CompletedLane,
  index: number,
): TranscriptLane {
  const { reruns = [], failedReruns = [] } = completed
  return {
    channel: completed.channel,
    ...textOf(analysis, completed.legs),
    speechMs: [...(analysis.lanes[index]?.speech.segments_ms ?? [])],
    reruns: reruns.map(({ holesMs, legs }) => ({ holesMs, ...textOf(analysis, legs) })),
    failedReruns,
  }
}

function textOf({ samples }: AnalysisDocument, completed: readonly CompletedLeg[]) {
  const legs = completed.map((leg, index): TranscriptLeg => {
    const startMs = leg.fromFrame * STEP_MS
    return {
      index,
      startMs,
      endMs: Math.min(startMs + samplesToMs(leg.samples), samplesToMs(samples)),
      // In the transcript a silence that was not replayed is a pause like any other.
      cut: leg.cut === 'skip' ? 'pause' : leg.cut,
      deltas: leg.deltas,
      timing: leg.verified ? 'token-step' : 'estimated',
      attempt: leg.attempt,
    }
  })
  // Groups bear the leg number of their session. It differs from the one in the result where a leg
  // was replayed again.
  const groups = completed.flatMap((leg, at) => leg.groups.map((each) => ({ ...each, leg: at })))
  return { legs, groups }
}
