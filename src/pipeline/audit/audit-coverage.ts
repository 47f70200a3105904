import type { CutOption } from '../../admission/legs/cut-option.js'
import { STEP_MS } from '../../model/pcm.js'
import { transcribedLane } from '../../transcript/assemble.js'
import type { LaneHole } from '../../transcript/coverage.js'
import type { WorkPorts } from '../index.js'
import type { CompletedLane } from '../legs/completed-leg.js'
import { transcriptLane } from '../legs/transcript-lane.js'
import type { Transcription } from '../transcription.js'
import { type AuditWindow, auditWindows } from './audit-windows.js'
import {
  type RerunPorts,
  type RerunWindow,
  type WindowOutcome,
  WindowReruns,
} from './window-reruns.js'

/** What an audit needs beside its reruns: limits, and an observer for its result. */
export interface AuditPorts extends RerunPorts {
  limits: Pick<WorkPorts['limits'], 'coverage'>
  observer: Pick<WorkPorts['observer'], 'audited'>
}

type AuditedWork = Pick<Transcription, 'attempt' | 'job' | 'analysis'>

/** Audio that may be replayed again of a recording of any length, in ms. */
const AUDIO_MIN_MS = 600_000
/** Most windows of one job that are replayed again. */
const WINDOWS_MAX = 100

/**
 * Replays again, in new sessions, the speech that came back without text, and adds the new text to
 * the lanes as reruns; the assembly decides what of it counts (`repairLane`). One window runs at a
 * time, and nothing is held while it waits for room. A window that can't be replayed is named with
 * its reason, and the existing transcript is kept.
 *
 * @param options.cuts of every lane, as it was replayed
 * @throws the signal's reason; what is no classified error
 */
export async function auditCoverage(
  ports: AuditPorts,
  work: AuditedWork,
  lanes: readonly CompletedLane[],
  options: {
    cuts: readonly (readonly CutOption[])[]
    rerun: RerunWindow
    signal: AbortSignal
  },
): Promise<CompletedLane[]> {
  const reruns = new WindowReruns(ports, work, options)
  const holes = lanes.map((lane, index) => holesOf(ports, work, { lane, index }))
  const windows = lanes.map((lane, index) => {
    const fromFrame = lane.legs[0]?.fromFrame ?? 0
    return auditWindows({ fromFrame, cuts: options.cuts[index] ?? [] }, holes[index] ?? [])
  })
  const chosen = chosenOf(windows.flat(), audioMaxMs(ports, work))
  const audited: CompletedLane[] = []
  for (const [index, lane] of lanes.entries()) {
    const outcomes: [AuditWindow, WindowOutcome][] = []
    for (const window of windows[index] ?? []) {
      const isChosen = chosen.has(window)
      const outcome = isChosen ? await reruns.rerun(index, window) : { reason: 'audit_limit' }
      outcomes.push([window, outcome])
    }
    audited.push(withOutcomes(lane, outcomes))
  }
  report(ports, work, { holes, audited })
  return audited
}

function holesOf(
  { limits }: AuditPorts,
  { analysis }: AuditedWork,
  { lane, index }: { lane: CompletedLane; index: number },
): readonly LaneHole[] {
  const { holeMinMs } = limits.coverage
  const assembly = { durationMs: analysis.duration_ms, stepMs: STEP_MS, holeMinMs }
  return transcribedLane(transcriptLane(analysis, lane, index), assembly).coverage.holes
}

function audioMaxMs({ limits }: AuditPorts, { analysis }: AuditedWork): number {
  const { rerunShareMax } = limits.coverage
  if (rerunShareMax === 0) return 0
  return Math.max(AUDIO_MIN_MS, rerunShareMax * analysis.duration_ms * analysis.lanes.length)
}

/** The windows with the most speech, as many as stay within both limits. */
function chosenOf(windows: readonly AuditWindow[], audioMs: number): Set<AuditWindow> {
  const chosen = new Set<AuditWindow>()
  let leftMs = audioMs
  for (const window of [...windows].sort((one, other) => other.speechMs - one.speechMs)) {
    const windowMs = window.frames * STEP_MS
    if (windowMs > leftMs || chosen.size === WINDOWS_MAX) continue
    chosen.add(window)
    leftMs -= windowMs
  }
  return chosen
}

function withOutcomes(
  lane: CompletedLane,
  outcomes: readonly (readonly [AuditWindow, WindowOutcome])[],
): CompletedLane {
  const reruns = outcomes.flatMap(([{ holesMs }, outcome]) =>
    'legs' in outcome ? [{ holesMs, legs: outcome.legs }] : [],
  )
  const failedReruns = outcomes.flatMap(([{ holesMs }, outcome]) =>
    'reason' in outcome ? [{ holesMs, reason: outcome.reason }] : [],
  )
  return { ...lane, reruns, failedReruns }
}

function report(
  ports: AuditPorts,
  work: AuditedWork,
  { holes, audited }: { holes: readonly (readonly LaneHole[])[]; audited: CompletedLane[] },
): void {
  const found = holes.flat()
  const unresolved = audited.map((lane, index) => holesOf(ports, work, { lane, index }))
  const repaired = holes.map((before, index) => {
    const left = unresolved[index] ?? []
    return before.filter((hole) => !left.some((each) => areOne(each, hole))).length
  })
  ports.observer.audited(work.attempt.jobId, {
    found: found.length,
    repaired: repaired.reduce((sum, count) => sum + count, 0),
    foundMs: found.reduce((sum, { speechMs }) => sum + speechMs, 0),
  })
}

function areOne(one: LaneHole, other: LaneHole): boolean {
  return one.startMs < other.endMs && other.startMs < one.endMs
}
