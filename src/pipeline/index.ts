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

/** Storage and the queue: what submitting and looking at jobs needs. */
export interface IntakePorts {
  store: ObjectStore
  /** A whole S3 bucket, in which recordings are read; keys have no prefix taken off. */
  sourceStore(bucket: string): Promise<ObjectStore>
  queue: JobQueue
  jobStore: JobStore
  /** Jobs that wait for room; one that ends leaves it. */
  waiting: WaitingList
  clock: Clock
}

/** Reading recordings. */
export interface MediaPort extends LegReader {
  /** The one pass over a recording; its spool files are gone when it is disposed of. */
  analyse(
    source: MediaSource,
    options: { channels: ChannelMode; signal: AbortSignal },
  ): Promise<AnalysedMedia>
}

/** What happens beside a job's states, for logs and metrics. Must not throw or wait. */
export interface WorkObserver extends WorkTally {
  /** Text was made safe; `audioMs` of all lanes together. */
  checkpointed(jobId: string, checkpoint: { number: number; audioMs: number }): void
  /** Text could not be made safe; the replay goes on, and so does the next try to write. */
  checkpointFailed(jobId: string, error: unknown): void
  /** An attempt goes on from a checkpoint. */
  resumed(jobId: string, fromMs: number): void
  /**
   * A transcript was audited: ranges of speech without text, and how many got
   * theirs.
   */
  audited(jobId: string, holes: { found: number; repaired: number; foundMs: number }): void
}

/**
 * What people see of a job while it runs. Nothing waits for it: where Redis is away it is out of
 * date until the next call.
 */
export type JobView = Pick<JobStore, 'update' | 'publish' | 'appendHistory'>

/** Everything that turns a queued job into a committed transcript. */
export interface WorkPorts extends IntakePorts {
  jobView: JobView
  media: MediaPort
  sessions: SessionPool
  engines: EngineDirectory
  random: Random
  runSession: SessionRunner
  observer: WorkObserver
  limits: {
    /** `deltaDelayMs` of the engine is added where it applies. */
    session: SessionLimits
    lagMaxMs: number
    /** Wait, in ms, before a leg is replayed again; doubled with every try. */
    backoffMs: number
    backoffMaxMs: number
    cuts: CutSettings
    coverage: {
      /** Speech between two texts that is a hole. */
      holeMinMs: number
      /** Largest share of a recording's audio that an audit replays again; 0: none. */
      rerunShareMax: number
    }
    /** Policy and leg lengths, as they stand in the result. */
    rotationPolicy: string
    pricePerHour: number | null
    subtitles: SubtitleLimits
  }
}
