import { rm } from 'node:fs/promises'
import path from 'node:path'
import { samplesToMs } from '../model/pcm.js'
import {
  type DecodedRecording,
  decodeRecording,
  type MediaLimits,
  type RecordingFacts,
} from './ffmpeg/decode-recording.js'
import type { PcmSink } from './ffmpeg/ffmpeg-decoder.js'
import { type FlacEncoder, startFlacEncoder } from './flac/flac-encoder.js'
import { FlacIncomplete, spooledFlac } from './flac/flac-spool.js'
import type { AnalysedMedia, ChannelMode, LaneAnalysis, MediaSource } from './index.js'
import type { MediaTools } from './media-tools.js'
import { PcmLanes } from './pcm-lanes.js'
import { PcmMeter } from './pcm-meter.js'
import { type SpeechBounds, speechMap } from './vad/speech-map.js'
import type { VadLane } from './vad/vad.js'

/** Options of the analysis of a recording. */
export interface AnalyseOptions {
  tools: MediaTools
  channels: ChannelMode
  limits: MediaLimits
  speech: SpeechBounds
}

/**
 * The one pass over a recording: decodes it at full speed, finds the speech of every lane, measures
 * its level, and keeps the same samples as FLAC in the spool folder (at most 32 kB for a second of
 * a lane). Memory grows only by about 200 kB for an hour of a lane.
 *
 * @throws what `decodeRecording` throws; UpstreamError `decode_failed` when the VAD thread dies
 */
export async function analyseMedia(
  source: MediaSource,
  options: AnalyseOptions,
  { signal }: { signal: AbortSignal },
): Promise<AnalysedMedia> {
  try {
    return await analyseOnce(source, { ...options, encodesApart: false }, { signal })
  } catch (error) {
    // The rate or the channels of the recording change within it, and the FLAC that ffmpeg wrote
    // beside the PCM lacks samples: the second pass encodes the PCM with a process of its own.
    if (!(error instanceof FlacIncomplete)) throw error
    return await analyseOnce(source, { ...options, encodesApart: true }, { signal })
  }
}

async function analyseOnce(
  source: MediaSource,
  options: AnalyseOptions & { encodesApart: boolean },
  { signal }: { signal: AbortSignal },
): Promise<AnalysedMedia> {
  const { tools, channels, limits, encodesApart } = options
  const { ffmpegPath } = tools
  const flacPath = path.join(tools.spoolDir, `analysis-${tools.random.hexId(8)}.flac`)
  const lanes: LaneAnalyser[] = []
  // Holds one encoder with `encodesApart`, and none otherwise.
  const encoders: FlacEncoder[] = []
  const sinkFor = (facts: RecordingFacts): PcmSink => {
    for (let lane = 0; lane < facts.lanes; lane += 1)
      lanes.push(new LaneAnalyser(tools.vad.openLane()))
    const analyse = laneSink(lanes, signal)
    if (!encodesApart) return analyse
    const apart = startFlacEncoder({ ffmpegPath, path: flacPath, lanes: facts.lanes }, { signal })
    encoders.push(apart)
    return async (pcm) => {
      await apart.write(pcm)
      await analyse(pcm)
    }
  }
  try {
    const request = { tools, channels, limits, flacPath: encodesApart ? null : flacPath, sinkFor }
    const decoded = await decodeRecording(source, request, { signal })
    for (const encoder of encoders) await encoder.finish()
    const flac = await spooledFlac(flacPath, { samples: decoded.samples, signal })
    const analyses: LaneAnalysis[] = []
    for (const [index, lane] of lanes.entries()) {
      const channel = channels === 'mix' ? null : index
      const speech = await lane.finish({ bounds: options.speech, signal })
      analyses.push({ channel, ...speech, speech: { method: tools.vad.method, ...speech.speech } })
    }
    return {
      ...analysed(decoded, analyses),
      flac,
      [Symbol.asyncDispose]: () => flac[Symbol.asyncDispose](),
    }
  } catch (error) {
    // The encoder is ended before its file is removed: it would write the file again.
    for (const encoder of encoders) await encoder[Symbol.asyncDispose]()
    await rm(flacPath, { force: true })
    throw error
  } finally {
    for (const encoder of encoders) await encoder[Symbol.asyncDispose]()
    for (const lane of lanes) lane[Symbol.dispose]()
  }
}

function analysed(
  { facts, samples, sha256, warnings, decodeMs }: DecodedRecording,
  lanes: LaneAnalysis[],
): Pick<AnalysedMedia, 'analysis'> {
  const { container, codec, sampleRate, channels } = facts
  return {
    analysis: {
      // At least 1 ms: a recording of a single sample is valid, and must not have length 0.
      durationMs: Math.max(1, Math.round(samplesToMs(samples))),
      durationMethod: 'decoded',
      ...{ samples, container, codec, sampleRate, channels, sha256, lanes, warnings, decodeMs },
    },
  }
}

function laneSink(lanes: readonly LaneAnalyser[], signal: AbortSignal): PcmSink {
  const apart = new PcmLanes(lanes.length)
  return async (pcm) => {
    for (const [index, laneSamples] of apart.push(pcm).entries()) {
      await lanes[index]?.push(laneSamples, signal)
    }
  }
}

type LaneFindings = Pick<LaneAnalysis, 'levelDbfs' | 'pausesMs' | 'peaks'> & {
  speech: Omit<LaneAnalysis['speech'], 'method'>
}

/** Level, waveform and speech of one lane. */
class LaneAnalyser implements Disposable {
  private readonly vad: VadLane
  private readonly meter = new PcmMeter()

  constructor(vad: VadLane) {
    this.vad = vad
  }

  async push(pcm: Int16Array, signal: AbortSignal): Promise<void> {
    this.meter.push(pcm)
    await this.vad.push(pcm, { signal })
  }

  async finish(options: { bounds: SpeechBounds; signal: AbortSignal }): Promise<LaneFindings> {
    const { samples, levelDbfs, peaks } = this.meter.finish()
    const mask = await this.vad.finish({ signal: options.signal })
    const { pausesMs, ...speech } = speechMap(mask, samples, options.bounds)
    return { levelDbfs, peaks, pausesMs, speech }
  }

  [Symbol.dispose](): void {
    this.vad[Symbol.dispose]()
  }
}
