import { audioKey } from '../../storage/keys.js'
import type { WorkPorts } from '../index.js'
import { LaneProgress } from '../legs/lane-progress.js'
import { LiveReport } from '../replay/live-report.js'
import { replayLane } from '../replay/replay-lane.js'
import type { Transcription } from '../transcription.js'
import type { RerunWindow } from './window-reruns.js'

/**
 * How a window of a lane is replayed a second time: like a lane, but no client follows it live,
 * and no checkpoint knows of it. A job that is taken over audits again.
 */
export function rerunWindow(ports: WorkPorts, work: Transcription): RerunWindow {
  const { analysis, attempt } = work
  const { jobId } = attempt
  return async ({ lane, fromFrame, cuts, chain }, { signal }) => {
    const flac = await ports.store.head(audioKey(jobId), { signal })
    const { channel = null } = analysis.lanes[lane] ?? {}
    const progress = new LaneProgress({ channel, legs: [] }, fromFrame)
    // It sends nothing, because it is never run.
    const live = new LiveReport(ports, { jobId, audioMs: analysis.duration_ms, doneMs: [] })
    const request = { work, flac, lane, chain, cuts, progress, live, onProgress: () => {} }
    await replayLane(ports, request, signal)
    return progress.completed.legs
  }
}
