import type { WaitingList } from '../admission/index.js'
import type { SessionPool } from '../admission/pool/session-pool.js'
import type { EngineDirectory } from '../engines/index.js'
import type { Clock } from '../kernel/clock.js'
import type { Random } from '../kernel/random.js'
import type { WorkTally } from '../latency/work-tally.js'
import type { AnalysedMedia, ChannelMode, LegReader, MediaSource } from '../media/index.js'
import type { JobQueue, JobStore } from '../queue/index.js'
import type { SessionRunner } from '../realtime/run-session.js'
import type { SessionLimits } from '../realtime/session-machine.js'
import type { ObjectStore } from '../storage/index.js'
import type { SubtitleLimits } from '../transcript/formats/subtitle-cues.js'
import type { CutSettings } from './replay/find-cuts.js'

/** Ports that submitting a job and showing jobs need. */
export interface IntakePorts {
  store: ObjectStore
  /** Opens a whole S3 bucket to read recordings in; its keys include any prefix of the storage. */
  sourceStore(bucket: string): Promise<ObjectStore>
  queue: JobQueue
  jobStore: JobStore
  /** Jobs that wait for room on an engine; a job that ends is removed from it. */
  waiting: WaitingList
  clock: Clock
}

/** Reads recordings, and the decoded audio of jobs. */
export interface MediaPort extends LegReader {
  /** The one pass over a recording; its spool files are gone when it is disposed of. */
  analyse(
    source: MediaSource,
    options: { channels: ChannelMode; signal: AbortSignal },
  ): Promise<AnalysedMedia>
}

/** Receives events of running jobs, for logs and metrics. Its methods must not throw or wait. */
export interface WorkObserver extends WorkTally {
  /** A checkpoint was stored; `audioMs` is the audio that it covers, all lanes together. */
  checkpointed(jobId: string, checkpoint: { number: number; audioMs: number }): void
  /** A checkpoint could not be written; the replay goes on, and the next checkpoint is tried. */
  checkpointFailed(jobId: string, error: unknown): void
  /** An attempt continues from a checkpoint; `fromMs` is its offset in the first lane. */
  resumed(jobId: string, fromMs: number): void
  /**
   * The coverage audit of a transcript ended: holes (speech without text) that were found, how many
   * of them a rerun gave text, and the speech in all of them, in ms.
   */
  audited(jobId: string, holes: { found: number; repaired: number; foundMs: number }): void
}

/**
 * The calls of the job store that only show a running job to people. The transcription never waits
 * for them: while Redis is unavailable the display is out of date until the next call.
 */
export type JobView = Pick<JobStore, 'update' | 'publish' | 'appendHistory'>

/** Ports and limits of the two stages that turn a queued job into a committed transcript. */
export interface WorkPorts extends IntakePorts {
  jobView: JobView
  media: MediaPort
  sessions: SessionPool
  engines: EngineDirectory
  random: Random
  runSession: SessionRunner
  observer: WorkObserver
  limits: {
    /** Limits of every session; the engine's own `deltaDelayMs` is added to the one here. */
    session: SessionLimits
    lagMaxMs: number
    /** Wait before a failed leg is replayed, in ms: doubled each time, up to `backoffMaxMs`. */
    backoffMs: number
    backoffMaxMs: number
    cuts: CutSettings
    coverage: {
      /** Speech without text counts as a hole from this length on, in ms. */
      holeMinMs: number
      /** Largest share of a recording that is replayed again for holes, 0 to 1; 0: nothing is. */
      rerunShareMax: number
    }
    /** Rotation policy and leg lengths as one text, for the result. */
    rotationPolicy: string
    pricePerHour: number | null
    subtitles: SubtitleLimits
  }
}
