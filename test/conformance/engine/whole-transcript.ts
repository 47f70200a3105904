import { expect } from 'vitest'
import { SAMPLE_RATE, STEP_MS, STEP_SAMPLES } from '../../../src/model/pcm.js'
import { deltasTotal } from '../../../src/model/step-law.js'
import type { SentStretch } from './sent-stretch.js'

/** What of `transcript.json` is looked at. */
export interface LegTranscript {
  text: string
  duration: number
  timing: { method: string; verified: boolean }
  engine: { is_standin: boolean }
  coverage: { holes: unknown[] }
  legs: TranscriptLeg[]
}

interface TranscriptLeg {
  start: number
  end: number
  cut: string
  deltas: number
  timing: string
  attempt: number
}

/**
 * Holds a transcript against what went over the wire: its legs follow each other from the first
 * frame to the last, each was sent to one session whole and counts its steps right, and the text is
 * what those sessions sent for these steps, and nothing else.
 *
 * @param sent all sessions of the recording
 */
export function expectWhole(transcript: LegTranscript, sent: readonly SentStretch[]): void {
  const { timing, engine, coverage, legs, duration, text } = transcript
  expect(timing, JSON.stringify(legs)).toMatchObject({ method: 'token-step', verified: true })
  expect(engine.is_standin).toBe(false)
  expect(coverage.holes).toEqual([])
  expect([...legs.map(({ start }) => start), duration]).toEqual([0, ...legs.map(({ end }) => end)])
  for (const leg of legs) expect(leg.timing).toBe('token-step')
  const texts = legs.map((leg) => textOf(leg, sent))
  expect(withoutSpaces(text)).toBe(withoutSpaces(texts.join('')))
  expect(withoutSpaces(text)).not.toBe('')
}

/** The text of a leg as it came back. */
function textOf(leg: TranscriptLeg, sent: readonly SentStretch[]): string {
  const samples = Math.round((leg.end - leg.start) * SAMPLE_RATE)
  const fromFrame = Math.round((leg.start * 1000) / STEP_MS)
  const endFrame = fromFrame + Math.ceil(samples / STEP_SAMPLES)
  const carriers = sent.filter((stretch) => {
    const isAllSent = stretch.fromFrame === fromFrame && stretch.endFrame >= endFrame
    return isAllSent && stretch.session.texts.length >= leg.deltas
  })
  expect(carriers, `sessions that may have carried ${leg.start} to ${leg.end} s`).toHaveLength(1)
  const [{ endFrame: sentFrame, session }] = carriers as [SentStretch]
  if (session.isDone) {
    expect(sentFrame).toBe(endFrame)
    expect(session.texts).toHaveLength(leg.deltas)
    expect(leg.deltas).toBe(deltasTotal(samples))
  } else {
    // It broke: what is kept of it ends at a cut, one step a frame.
    expect(leg.deltas).toBe(endFrame - fromFrame)
  }
  return session.texts.slice(0, leg.deltas).join('')
}

/** Where segments and legs meet a space may be put in. */
function withoutSpaces(text: string): string {
  return text.replaceAll(/\s/g, '')
}
