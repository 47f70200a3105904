import type { SessionGate } from '../admission/index.js'
import type { Clock } from '../kernel/clock.js'
import type { ChannelMode, MediaAnalysis, MediaSource } from '../media/index.js'
import type { JobBoard, JobQueue } from '../queue/index.js'
import type { EngineAddress, EngineDescription, SessionAudio } from '../realtime/index.js'
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

/** The decoded audio of an analysis, to be stored; holds a spool file until it is disposed of. */
export interface DecodedFlac extends AsyncDisposable {
  bytes: number
  stream(): AsyncIterable<Uint8Array>
}

/** Reading recordings. */
export interface MediaPort {
  analyse(
    source: MediaSource,
    options: { channels: ChannelMode; signal: AbortSignal },
  ): Promise<{ analysis: MediaAnalysis; flac: DecodedFlac }>
  /** A stretch of one lane out of the FLAC that `analyse` made, in a spool file until disposed of. */
  openLeg(
    flac: MediaSource,
    leg: { channelIndex: number; startSample: number; endSample: number; signal: AbortSignal },
  ): Promise<SessionAudio & AsyncDisposable>
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
