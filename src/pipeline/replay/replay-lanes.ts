import type { LaneChain } from '../../admission/lane/lane-chain.js'
import { allOrNone } from '../../kernel/all-or-none.js'
import { audioKey } from '../../storage/keys.js'
import type { CheckpointWriter } from '../checkpoint/checkpoint-writer.js'
import type { WorkPorts } from '../index.js'
import type { Transcription } from '../transcription.js'
import type { LaneStart } from './lane-starts.js'
import { LiveReport } from './live-report.js'
import { replayLane } from './replay-lane.js'

/** A lane with audio left, and the chain that it was admitted with. */
export interface LaneToReplay {
  start: LaneStart
  chain: LaneChain
}

/**
 * Replays what is left of a job's lanes side by side, and writes checkpoints meanwhile. The first
 * lane that fails stops the others: a transcript that lacks a lane is never committed.
 * @param job.starts all lanes; the text that comes back is added to their progress
 */
export async function replayLanes(
  ports: WorkPorts,
  work: Transcription,
  job: {
    starts: readonly LaneStart[]
    lanes: readonly LaneToReplay[]
    writer: CheckpointWriter
  },
): Promise<void> {
  const { analysis, attempt } = work
  const { starts, lanes, writer } = job
  const { jobId, signal } = attempt
  const live = new LiveReport(ports, {
    jobId,
    audioMs: analysis.duration_ms,
    doneMs: starts.map(({ doneMs }) => doneMs),
  })
  const over = new AbortController()
  const reporting = live.run(over.signal)
  try {
    const flac = await ports.store.head(audioKey(jobId), { signal })
    const onProgress = () => writer.noticed()
    const replaying = lanes.map(({ start, chain }) => async (inner: AbortSignal) => {
      const { lane, cuts, progress } = start
      const request = { work, flac, lane, chain, cuts, progress, live, onProgress }
      await replayLane(ports, request, inner)
    })
    const completed = (inner: AbortSignal) => {
      return allOrNone(inner, replaying).finally(() => over.abort())
    }
    const writing = (inner: AbortSignal) => {
      return untilOver(writer.run(AbortSignal.any([inner, over.signal])), over.signal)
    }
    // The writer throws when another worker owns the job, and that stops the replay too.
    await allOrNone<unknown>(signal, [completed, writing])
  } finally {
    over.abort()
    await reporting
  }
  await live.send({ signal })
}

async function untilOver(running: Promise<void>, over: AbortSignal): Promise<void> {
  try {
    await running
  } catch (error) {
    if (!over.aborted) throw error
  }
}
