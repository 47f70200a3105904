import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { InputError } from '../../kernel/errors.js'
import { decodeRecording } from '../../media/ffmpeg/decode-recording.js'
import type { MediaSource } from '../../media/index.js'
import { type MediaTools, openMediaTools } from '../../media/media-tools.js'
import { PcmLanes } from '../../media/pcm-lanes.js'
import { speechMap } from '../../media/vad/speech-map.js'
import { vadSettings } from '../../media/vad/vad-settings.js'
import {
  FRAME_BYTES,
  msToSamples,
  PCM_BYTES_PER_SECOND,
  SAMPLE_BYTES,
  samplesToMs,
} from '../../model/pcm.js'
import type { SessionAudio } from '../../realtime/index.js'
import type { CommandContext } from '../command-context.js'

/** Most PCM bytes kept in memory and looped (600 s); the rest of a recording isn't used. */
const PCM_BYTES_MAX = 600 * PCM_BYTES_PER_SECOND

/** The audio that the sessions of a sweep send. */
export interface Speech {
  name: string
  /** PCM16 at 16 kHz, whole frames of 80 ms. */
  pcm: Buffer
  durationMs: number
  /** Share of speech in the audio, 0 to 1. */
  speechShare: number
}

/**
 * Decodes a recording and finds the speech in it.
 * @param options.speechOnly cuts out everything but speech, so that the speech is uninterrupted
 * @throws what `decodeRecording` throws; InputError when nothing is left; the signal's reason
 */
export async function readSpeech(
  context: CommandContext,
  source: MediaSource,
  options: { speechOnly: boolean; signal: AbortSignal },
): Promise<Speech> {
  const { settings, clock, random } = context
  const { ffmpegPath, ffprobePath, decodeTimeoutMs } = settings.media
  const spoolDir = join(settings.stateDir, 'spool', `sweep-${random.hexId(8)}`)
  const { method, ...vad } = settings.vad
  const { threshold, ...bounds } = vadSettings(vad)
  try {
    await using tools = await openMediaTools(
      {
        ...{ ffmpegPath, ffprobePath, decodeTimeoutMs, spoolDir, clock, random },
        vad: { method, threshold },
      },
      options,
    )
    const { pcm, mask } = await listen(tools, source, context, options.signal)
    const samples = pcm.length / SAMPLE_BYTES
    const { segmentsMs, speechMs } = speechMap(mask, samples, bounds)
    if (!options.speechOnly || speechMs === 0) {
      const speechShare = speechMs / Math.max(1, samplesToMs(samples))
      return speechOf(source.name, pcm, speechShare)
    }
    const parts = segmentsMs.map(([fromMs, toMs]) =>
      pcm.subarray(msToSamples(fromMs) * SAMPLE_BYTES, msToSamples(toMs) * SAMPLE_BYTES),
    )
    return speechOf(source.name, Buffer.concat(parts), 1)
  } finally {
    await rm(spoolDir, { recursive: true, force: true })
  }
}

async function listen(
  tools: MediaTools,
  source: MediaSource,
  { settings }: CommandContext,
  signal: AbortSignal,
): Promise<{ pcm: Buffer; mask: Uint8Array }> {
  const lanes = new PcmLanes(1)
  const chunks: Uint8Array[] = []
  let bytes = 0
  using vadLane = tools.vad.openLane()
  const sink = async (pcm: Uint8Array) => {
    // A copy, since the decoder reuses its buffer for the next samples.
    const kept = Buffer.from(pcm.subarray(0, PCM_BYTES_MAX - bytes))
    if (kept.length === 0) return
    chunks.push(kept)
    bytes += kept.length
    for (const samples of lanes.push(kept)) await vadLane.push(samples, { signal })
  }
  const request = { tools, channels: 'mix' as const, limits: settings.media, flacPath: null }
  await decodeRecording(source, { ...request, sinkFor: () => sink }, { signal })
  return { pcm: Buffer.concat(chunks), mask: await vadLane.finish({ signal }) }
}

function speechOf(name: string, pcm: Buffer, speechShare: number): Speech {
  const whole = pcm.subarray(0, pcm.length - (pcm.length % FRAME_BYTES))
  if (whole.length === 0) {
    throw new InputError('input_unsupported', `${name} is shorter than 80 ms; give longer audio.`)
  }
  return { name, pcm: whole, durationMs: samplesToMs(whole.length / SAMPLE_BYTES), speechShare }
}

/**
 * Audio of `frames` frames, from `startFrame` on, starting over where the speech ends.
 * @param hooks.onEnd called after the last frame was sent
 */
export function loopedAudio(
  { pcm }: Speech,
  { startFrame, frames }: { startFrame: number; frames: number },
  hooks: { onEnd: () => void },
): SessionAudio {
  const framesHeld = pcm.length / FRAME_BYTES
  return {
    async *frames() {
      for (let index = 0; index < frames; index += 1) {
        const at = ((startFrame + index) % framesHeld) * FRAME_BYTES
        yield pcm.subarray(at, at + FRAME_BYTES)
      }
      hooks.onEnd()
    },
  }
}
