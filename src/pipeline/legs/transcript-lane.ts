import { STEP_MS, samplesToMs } from '../../model/pcm.js'
import type { AnalysisDocument } from '../../storage/documents/analysis-document.js'
import type { TranscriptLane, TranscriptLeg } from '../../transcript/assemble.js'
import type { CompletedLane, CompletedLeg } from './completed-leg.js'

/**
 * A lane as transcripts are put together from: the legs as they were sent; where they overlap the
 * transcript decides who said what. Pure.
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
      // A silence that is left out is a pause to the reader.
      cut: leg.cut === 'skip' ? 'pause' : leg.cut,
      deltas: leg.deltas,
      timing: leg.verified ? 'token-step' : 'estimated',
      attempt: leg.attempt,
    }
  })
  // A leg that was replayed again has another number in its sessions than in the result.
  const groups = completed.flatMap((leg, at) => leg.groups.map((each) => ({ ...each, leg: at })))
  return { legs, groups }
}
