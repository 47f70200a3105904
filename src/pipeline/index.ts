import type { WaitingList } from '../admission/ledger-store.js'
import type { LegLease } from '../admission/leg-lease.js'
import type { SessionPool } from '../admission/session-pool.js'
import type { SessionPulse } from '../admission/session-pulses.js'
import type { Clock } from '../kernel/clock.js'
import type { Random } from '../kernel/random.js'
import type { AnalysedMedia, ChannelMode, LegReader, MediaSource } from '../media/index.js'
import type { JobBoard, JobQueue } from '../queue/index.js'
import type { EngineAddress, EngineDescription } from '../realtime/index.js'
import type { SessionRunner } from '../realtime/run-session.js'
import type { SessionLimits } from '../realtime/session-machine.js'
import type { ObjectStore } from '../storage/index.js'
import type { SubtitleLimits } from '../transcript/subtitle-cues.js'
import type { CutSettings } from './lane-cuts.js'

/** Storage and the queue: what submitting and looking at jobs needs. */
export interface IntakePorts {
  store: ObjectStore
  /** A whole S3 bucket, in which recordings are read; keys have no prefix taken off. */
  sourceStore(bucket: string): Promise<ObjectStore>
  queue: JobQueue
  board: JobBoard
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

/** An engine that answered when the worker started. */
export interface KnownEngine {
  address: EngineAddress
  description: EngineDescription
}

/** The engines and what is known of them, and the watch over their sessions. */
export interface EngineRoster {
  /** @param id as in the ledger */
  engine(id: string): KnownEngine
  /** A session of a lease begins. */
  session(lease: LegLease): SessionPulse
  /** Whether the whole engine is silent. */
  isSilent(id: string): boolean
  /** A session of the engine broke: look at it soon. */
  suspect(id: string): void
}

/** Everything that turns a queued job into a committed transcript. */
export interface WorkPorts extends IntakePorts {
  media: MediaPort
  sessions: SessionPool
  engines: EngineRoster
  random: Random
  runSession: SessionRunner
  limits: {
    /** `deltaDelayMs` of the engine is added where it applies. */
    session: SessionLimits
    lagMaxMs: number
    /** Before a leg is carried again: doubled with every try. */
    backoffMs: number
    backoffMaxMs: number
    cuts: CutSettings
    /** Policy and leg lengths, as they stand in the result. */
    rotationPolicy: string
    pricePerHour: number | null
    subtitles: SubtitleLimits
  }
}
