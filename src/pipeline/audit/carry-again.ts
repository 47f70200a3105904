import { audioKey } from '../../storage/keys.js'
import type { WorkPorts } from '../index.js'
import { LaneProgress } from '../legs/lane-progress.js'
import { carryLane } from '../replay/carry-lane.js'
import { LiveReport } from '../replay/live-report.js'
import type { Transcription } from '../transcription.js'
import type { CarryAgain } from './window-carrier.js'

/**
 * How a stretch of a lane is carried for the second time: like a lane, but nobody follows it live,
 * and no checkpoint knows of it. A job that is taken over audits again.
 */
export function carryAgain(ports: WorkPorts, work: Transcription): CarryAgain {
  const { analysis, attempt } = work
  const { jobId } = attempt
  return async ({ lane, fromFrame, cuts, chain }, { signal }) => {
    const flac = await ports.store.head(audioKey(jobId), { signal })
    const { channel = null } = analysis.lanes[lane] ?? {}
    const progress = new LaneProgress({ channel, legs: [] }, fromFrame)
    // It sends nothing, because nobody runs it.
    const live = new LiveReport(ports, { jobId, audioMs: analysis.duration_ms, doneMs: [] })
    const request = { work, flac, lane, chain, cuts, progress, live, onProgress: () => {} }
    await carryLane(ports, request, signal)
    return progress.carried.legs
  }
}
