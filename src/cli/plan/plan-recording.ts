import type { SessionDemand } from '../../admission/pool/session-pool.js'
import type { Settings } from '../../config/schema.js'
import type { MsRange } from '../../kernel/ms-range.js'
import { seededRandom } from '../../kernel/seeded-random.js'
import { DEFAULT_TENANT } from '../../kernel/tenant.js'
import type { Pace } from '../../media/replay-schedule.js'
import { msToSamples, STEP_MS } from '../../model/pcm.js'
import { findCuts } from '../../pipeline/replay/find-cuts.js'
import { assumedPauses } from '../../planning/plan-pauses.js'

/** One recording of a planned night. */
export interface PlanRecording {
  /** Unique: a job's id, or the line or position in a list. */
  readonly id: string
  readonly name: string
  readonly durationMs: number
  /**
   * How the duration is known: decoded by us, stated by the file, given by the user, or guessed
   * from the size.
   */
  readonly lengthFrom: 'decoded' | 'header' | 'given' | 'size'
  /** One entry per lane; pauses are null before the analysis. */
  readonly lanes: readonly { readonly pausesMs: readonly MsRange[] | null }[]
  readonly pace: Pace
  readonly priority: number
  /** Deadline in ms of the Unix epoch; null: none. */
  readonly deadlineMs: number | null
  /** True for a recording whose sessions are open: it doesn't wait in the queue. */
  readonly isRunning: boolean
  /** Audio, in ms, whose text has been received. */
  readonly doneMs: number
}

/** Priority of running jobs: above every waiting one. */
const RUNNING_PRIORITY = 1e9
/**
 * Distance between the seeds of two lanes, so that recordings of equal length get different pauses.
 */
const SEED_STEP = 7919

/** What recordings demand of the engines in a night, as their jobs will. Pure. */
export function demandsOf(
  recordings: readonly PlanRecording[],
  { vad, legs }: Pick<Settings, 'vad' | 'legs'>,
  options: { seed: number; pace: number | null },
): SessionDemand[] {
  const { overlapMs, skipSilenceMs } = legs
  const settings = { pauseMinMs: vad.pauseMinMs, overlapMs, skipSilenceMs }
  return recordings.map((recording, index): SessionDemand => {
    const { id: jobId, name, durationMs, deadlineMs, isRunning, doneMs } = recording
    const pace = paceOf(recording, options.pace)
    const frameMs = STEP_MS / (pace || 1)
    const lanes = recording.lanes.map(({ pausesMs }, lane) => {
      const random = seededRandom(options.seed + SEED_STEP * (index * 8 + lane))
      const map = {
        pausesMs: pausesMs ?? assumedPauses(random, durationMs),
        // No loudness peaks: where exactly a cut into speech falls (within a few seconds) doesn't
        // change a forecast.
        peaks: new Uint8Array(0),
        samples: Math.max(1, msToSamples(durationMs)),
      }
      const { fromFrame, cuts, frames } = findCuts(map, settings)
      const doneFrames = Math.min(Math.max(0, frames - 1), Math.floor(doneMs / STEP_MS))
      const remainingMs = (frames - doneFrames) * frameMs
      return { pace, fromFrame: fromFrame + doneFrames, cuts, remainingMs }
    })
    const priority = isRunning ? RUNNING_PRIORITY : recording.priority
    return { tenant: DEFAULT_TENANT, jobId, name, priority, deadlineMs, live: false, lanes }
  })
}

/** Pace of a recording; 0 stands for `max`, which plans treat as real time. */
function paceOf({ pace, isRunning }: PlanRecording, faster: number | null): number {
  if (pace === 'max') return 0
  return faster === null || isRunning ? pace : Math.max(pace, faster)
}
