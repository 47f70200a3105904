import type { SessionGate } from '../admission/index.js'
import type { Clock } from '../kernel/clock.js'
import type { AnalysedMedia, ChannelMode, LegReader, MediaSource } from '../media/index.js'
import type { JobBoard, JobQueue } from '../queue/index.js'
import type { EngineAddress, EngineDescription } from '../realtime/index.js'
import type { SessionRunner } from '../realtime/run-session.js'
import type { SessionLimits } from '../realtime/session-machine.js'
import type { ObjectStore } from '../storage/index.js'
import type { SubtitleLimits } from '../transcript/subtitle-cues.js'

/** Storage and the queue: what submitting and looking at jobs needs. */
export interface IntakePorts {
  store: ObjectStore
  /** A whole S3 bucket, in which recordings are read; keys have no prefix taken off. */
  sourceStore(bucket: string): Promise<ObjectStore>
  queue: JobQueue
  board: JobBoard
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

/** Everything that turns a queued job into a committed transcript. */
export interface WorkPorts extends IntakePorts {
  media: MediaPort
  gate: SessionGate
  engines: readonly KnownEngine[]
  runSession: SessionRunner
  limits: {
    /** `deltaDelayMs` of the engine is added where it applies. */
    session: SessionLimits
    lagMaxMs: number
    legCeilingMs: number
    subtitles: SubtitleLimits
  }
}
