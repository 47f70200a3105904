import { audioKey } from '../../storage/keys.js'
import type { WorkPorts } from '../index.js'
import { LaneProgress } from '../legs/lane-progress.js'
import { LiveReport } from '../replay/live-report.js'
import { replayLane } from '../replay/replay-lane.js'
import type { Transcription } from '../transcription.js'
import type { RerunWindow } from './window-reruns.js'

/**
 * Makes the function that replays a window: as a lane is replayed, but without live text and
 * without checkpoints. A worker that takes over a job in its audit begins the audit again.
 */
export function rerunWindow(ports: WorkPorts, work: Transcription): RerunWindow {
  const { analysis, attempt } = work
  const { jobId } = attempt
  return async ({ lane, fromFrame, cuts, chain }, { signal }) => {
    const flac = await ports.store.head(audioKey(jobId), { signal })
    const { channel = null } = analysis.lanes[lane] ?? {}
    const progress = new LaneProgress({ channel, legs: [] }, fromFrame)
    // `run` of this report is never called, so none of the window's text is shown.
    const live = new LiveReport(ports, { jobId, audioMs: analysis.duration_ms, doneMs: [] })
    const request = { work, flac, lane, chain, cuts, progress, live, onProgress: () => {} }
    await replayLane(ports, request, signal)
    return progress.completed.legs
  }
}
