import { FRAME_BYTES } from '../../../src/model/pcm.js'
import { frameName, type LoggedSession } from './session-log.js'

/** A frame of one of several recordings. */
interface FramePlace {
  /** 0-based. */
  readonly recording: number
  /** 0-based. */
  readonly frame: number
}

/** Where every frame of recordings is, by its name; no two of them are the same. */
export type FrameIndex = ReadonlyMap<string, FramePlace>

/** The stretch of a recording that one session was sent. */
export interface SentStretch {
  readonly session: LoggedSession
  readonly recording: number
  readonly fromFrame: number
  /** Exclusive. */
  readonly endFrame: number
}

/** @param recordings their samples as PCM16. @throws Error when two frames are the same */
export function indexFrames(recordings: readonly Uint8Array[]): FrameIndex {
  const index = new Map<string, FramePlace>()
  for (const [recording, pcm] of recordings.entries()) {
    for (let at = 0; at < pcm.length; at += FRAME_BYTES) {
      const name = frameName(pcm.subarray(at, at + FRAME_BYTES))
      if (index.has(name)) throw new Error('Two frames of the recordings are the same.')
      index.set(name, { recording, frame: at / FRAME_BYTES })
    }
  }
  return index
}

/**
 * What each session was sent, of those that were sent audio of the recordings at all: a warm-up
 * wasn't.
 * @throws Error when frames of a session don't follow each other in one recording
 */
export function sentStretches(
  sessions: readonly LoggedSession[],
  index: FrameIndex,
): SentStretch[] {
  return sessions.flatMap((session) => {
    const places = session.sent.map((name) => index.get(name))
    const first = places[0]
    if (first === undefined && places.every((place) => place === undefined)) return []
    for (const [at, place] of places.entries()) {
      const isNext = place?.recording === first?.recording
      if (isNext && place?.frame === (first?.frame ?? 0) + at) continue
      throw new Error(`Frame ${at} of a session doesn't follow the frames before it.`)
    }
    const { recording, frame: fromFrame } = first as FramePlace
    return [{ session, recording, fromFrame, endFrame: fromFrame + places.length }]
  })
}
