import type { CutOption } from '../../admission/legs/cut-option.js'
import { LaneCuts } from '../../admission/legs/lane-cuts.js'
import { InputError } from '../../kernel/errors.js'
import { STEP_MS } from '../../model/pcm.js'
import type { AnalysisDocument } from '../../storage/documents/analysis-document.js'
import { readWholeBody } from '../../storage/object-body.js'
import { isComplete, lanesOfCheckpoint, nextFrameOf } from '../checkpoint/checkpoint.js'
import { readCheckpoint } from '../checkpoint/read-checkpoint.js'
import type { WorkPorts } from '../index.js'
import type { CompletedLane } from '../legs/completed-leg.js'
import { LaneProgress } from '../legs/lane-progress.js'
import { findCuts } from './find-cuts.js'

/** Largest waveform that is read, in bytes; one of 12 h has 864 kB at 20 peaks a second. */
const PEAKS_BYTES_MAX = 64 * 2 ** 20

/** A lane of a job at the start of an attempt. */
export interface LaneStart {
  /** 0-based; also the channel in `audio.flac`. */
  lane: number
  cuts: readonly CutOption[]
  /** Frame of the recording at which the replay of the lane continues. */
  fromFrame: number
  /** Frames left to be replayed, overlaps not counted; 0 where all text of the lane is there. */
  framesLeft: number
  /** Audio whose text is there, in ms, skipped silence included. */
  doneMs: number
  progress: LaneProgress
}

/** All lanes of a job at the start of an attempt, with the text of its newest checkpoint. */
export interface JobStart {
  lanes: LaneStart[]
  /** Offsets, in ms of the first lane, at which attempts continued from a checkpoint, in order. */
  resumedFromMs: number[]
  /** Number of the attempt that wrote the checkpoint, as people see it; 0 without a checkpoint. */
  attempt: number
}

/**
 * Finds the cuts of every lane, and where its replay continues after the newest checkpoint.
 * @throws what the store throws; the signal's reason
 */
export async function startLanes(
  ports: Pick<WorkPorts, 'store' | 'limits'>,
  job: { jobId: string; analysis: AnalysisDocument },
  options: { signal: AbortSignal },
): Promise<JobStart> {
  const { jobId, analysis } = job
  const checkpoint = await readCheckpoint(ports.store, jobId, options)
  const known = checkpoint === null ? [] : lanesOfCheckpoint(checkpoint)
  // A checkpoint that doesn't fit the analysis is ignored: it was made from another one, or changed
  // by hand, and its text would land at wrong times.
  const fits = known.length === analysis.lanes.length && known.every((lane) => isWithin(lane, job))
  const lanes = await Promise.all(
    analysis.lanes.map(async ({ channel, pauses_ms, peaks: { key } }, lane) => {
      const peaks = await readPeaks(ports, key, options)
      const map = { pausesMs: [...pauses_ms], peaks, samples: analysis.samples }
      const way = findCuts(map, ports.limits.cuts)
      const completed = (fits ? known[lane] : null) ?? { channel, legs: [] }
      const fromFrame = nextFrameOf(completed) ?? way.fromFrame
      const framesLeft = isComplete(completed) ? 0 : new LaneCuts(way.cuts).framesLeft(fromFrame)
      const safeMs = completed.legs.length === 0 ? 0 : fromFrame * STEP_MS
      // The last step of a lane may reach beyond the recording: progress must not exceed 100 %.
      const doneMs = Math.min(safeMs, analysis.duration_ms)
      const progress = new LaneProgress(completed, way.fromFrame)
      return { ...{ lane, cuts: way.cuts, fromFrame, framesLeft }, doneMs, progress }
    }),
  )
  const before = fits && checkpoint ? checkpoint.resumed_from_ms : []
  const isResumed = lanes.some(({ progress }) => progress.count > 0)
  const [first] = lanes as [LaneStart]
  const resumedFromMs = isResumed ? [...before, first.doneMs] : before
  const attempt = checkpoint === null ? 0 : (checkpoint.attempt ?? checkpoint.fence)
  return { lanes, resumedFromMs, attempt }
}

function isWithin({ legs }: CompletedLane, { analysis }: { analysis: AnalysisDocument }): boolean {
  const endMs = legs.at(-1)?.endFrame ?? 0
  return endMs * STEP_MS <= analysis.duration_ms + STEP_MS
}

/** The waveform of a lane; empty where it is missing: only cuts in talk without pauses use it. */
async function readPeaks(
  ports: Pick<WorkPorts, 'store'>,
  key: string,
  options: { signal: AbortSignal },
): Promise<Uint8Array> {
  try {
    return await readWholeBody(await ports.store.get(key, options), {
      key,
      bytesMax: PEAKS_BYTES_MAX,
    })
  } catch (error) {
    if (error instanceof InputError) return new Uint8Array(0)
    throw error
  }
}
