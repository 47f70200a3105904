import { allOrNone } from '../kernel/all-or-none.js'
import type { SpooledLeg } from '../media/index.js'
import { samplesToMs } from '../media/pcm.js'
import { speechLookup } from '../media/speech-lookup.js'
import type { SessionAudio } from '../realtime/index.js'
import type { SessionMeter, SessionResult } from '../realtime/run-session.js'
import type { ObjectHead } from '../storage/index.js'
import { audioKey } from '../storage/keys.js'
import type { KnownEngine, WorkPorts } from './index.js'
import { LiveReport } from './live-report.js'
import { storedMedia } from './stored-media.js'
import type { Transcription } from './transcription.js'

/** What came back for one lane. */
export interface CarriedLane {
  /** 0-based channel; null for the mix. */
  channel: number | null
  engine: KnownEngine
  result: SessionResult
}

/**
 * Replays every lane into a session of its own, side by side. The first that fails stops the
 * others: a transcript with a lane missing is none.
 * @param engines one a lane
 */
export async function carryLanes(
  ports: WorkPorts,
  work: Transcription,
  engines: readonly KnownEngine[],
): Promise<CarriedLane[]> {
  const { analysis, attempt } = work
  const { jobId, signal } = attempt
  const flac = await ports.store.head(audioKey(jobId), { signal })
  const lanes = engines.length
  const live = new LiveReport(ports, { jobId, audioMs: analysis.duration_ms, lanes })
  const stopReport = new AbortController()
  const reporting = live.run(stopReport.signal)
  try {
    const carrying = engines.map((engine, lane) => (inner: AbortSignal) => {
      return carryLane(ports, { work, flac, lane, engine, live }, inner)
    })
    return await allOrNone(signal, carrying)
  } finally {
    stopReport.abort()
    await reporting
  }
}

interface LaneRequest {
  work: Transcription
  /** The decoded audio of the job. */
  flac: ObjectHead
  /** 0-based; also the channel in the FLAC. */
  lane: number
  engine: KnownEngine
  live: LiveReport
}

async function carryLane(
  ports: WorkPorts,
  request: LaneRequest,
  signal: AbortSignal,
): Promise<CarriedLane> {
  const { work, lane, engine, live } = request
  const { analysis, attempt, job } = work
  const { channel = null, speech } = analysis.lanes[lane] ?? {}
  const whole = { lane, startSample: 0, endSample: analysis.samples }
  const source = storedMedia(ports.store, request.flac, job.name)
  await using leg = await ports.media.openLeg(source, whole, { signal })
  const { session, lagMaxMs } = ports.limits
  const deltaDelayMs = session.deltaDelayMs + engine.description.deltaDelayMs
  // A rut shall cost one try; where it comes again, text with a hole in it is worth more than none.
  const blankSpeechMaxMs = attempt.number > 1 ? null : session.blankSpeechMaxMs
  const result = await ports.runSession(
    {
      engine: engine.address,
      model: engine.description.model,
      audio: sessionAudio(leg),
      pace: job.options.pace,
      leg: 0,
      legStartMs: 0,
      limits: { ...session, deltaDelayMs, blankSpeechMaxMs },
      lagMaxMs,
      speechAt: speechLookup(speech?.segments_ms ?? []),
      meter: noteStart(ports, work, work.meter.session()),
      onGroup: (group) => live.text(channel, group),
      onProgress: (doneMs) => live.progress(lane, Math.min(doneMs, samplesToMs(analysis.samples))),
    },
    { signal },
  )
  return { channel, engine, result }
}

function sessionAudio(leg: SpooledLeg): SessionAudio {
  return {
    samples: leg.samples,
    async *frames(options) {
      for (let index = 0; index < leg.frameCount; index += 1) {
        yield await leg.readFrame(index, options)
      }
    },
  }
}

/** The first frame of the first lane makes the job a running one. */
function noteStart(ports: WorkPorts, work: Transcription, meter: SessionMeter): SessionMeter {
  return {
    ...meter,
    connected(durationMs) {
      meter.connected(durationMs)
      // A view: the transcription does not wait for it, and must not fail with it.
      ports.board.update(work.attempt.jobId, { status: 'running' }).catch(() => {})
    },
  }
}
