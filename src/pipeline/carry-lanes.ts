import type { LaneChain } from '../admission/lane-chain.js'
import { allOrNone } from '../kernel/all-or-none.js'
import { audioKey } from '../storage/keys.js'
import { type CarriedLane, carryLane } from './carry-lane.js'
import type { WorkPorts } from './index.js'
import { LiveReport } from './live-report.js'
import type { Transcription } from './transcription.js'

/**
 * Replays all lanes of a job side by side. The first that fails stops the others: a transcript with
 * a lane missing is none.
 * @param chains one a lane
 */
export async function carryLanes(
  ports: WorkPorts,
  work: Transcription,
  chains: readonly LaneChain[],
): Promise<CarriedLane[]> {
  const { analysis, attempt } = work
  const { jobId, signal } = attempt
  const lanes = chains.length
  const live = new LiveReport(ports, { jobId, audioMs: analysis.duration_ms, lanes })
  const stopReport = new AbortController()
  const reporting = live.run(stopReport.signal)
  try {
    const flac = await ports.store.head(audioKey(jobId), { signal })
    const carrying = chains.map((chain, lane) => (inner: AbortSignal) => {
      return carryLane(ports, { work, flac, lane, chain, live }, inner)
    })
    return await allOrNone(signal, carrying)
  } finally {
    stopReport.abort()
    await reporting
  }
}
