import type { SessionDemand } from '../../admission/pool/session-pool.js'
import type { Settings } from '../../config/schema.js'
import type { MsRange } from '../../kernel/ms-range.js'
import { seededRandom } from '../../kernel/seeded-random.js'
import { DEFAULT_TENANT } from '../../kernel/tenant.js'
import type { Pace } from '../../media/replay-schedule.js'
import { msToSamples, STEP_MS } from '../../model/pcm.js'
import { findCuts } from '../../pipeline/replay/find-cuts.js'
import { assumedPauses } from '../../planning/plan-pauses.js'

/** One recording that a night is planned with. */
export interface PlanRecording {
  /** Unique; a job's id, or the name. */
  readonly id: string
  readonly name: string
  readonly durationMs: number
  /**
   * How the length is known: decoded by us, stated by the file, given by the user, or guessed from
   * the size.
   */
  readonly lengthFrom: 'decoded' | 'header' | 'given' | 'size'
  /** One entry a lane; null where nobody has listened to it yet. */
  readonly lanes: readonly { readonly pausesMs: readonly MsRange[] | null }[]
  readonly pace: Pace
  readonly priority: number
  /** Unix epoch. */
  readonly deadlineMs: number | null
  /** Its sessions are open; it is not in the line. */
  readonly isRunning: boolean
  /** Audio whose text is back. */
  readonly doneMs: number
}

/** Above everybody who waits. */
const RUNNING_PRIORITY = 1e9
/** Apart from each other, so that equal lengths don't give equal pauses. */
const SEED_STEP = 7919

/** What recordings ask of a night's engines: the same that their jobs will ask. Pure. */
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
        // Where a cut into talk falls to within some seconds makes no difference to a night.
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

/** 0 for as fast as it goes, which plans take for real time. */
function paceOf({ pace, isRunning }: PlanRecording, faster: number | null): number {
  if (pace === 'max') return 0
  return faster === null || isRunning ? pace : Math.max(pace, faster)
}
