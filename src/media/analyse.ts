import { rm } from 'node:fs/promises'
import path from 'node:path'
import { decodeRecording, type MediaLimits, type RecordingFacts } from './decode-recording.js'
import type { PcmSink } from './ffmpeg-decoder.js'
import { spooledFlac } from './flac-spool.js'
import type {
  AnalysedMedia,
  AnalysisProgress,
  ChannelMode,
  LaneAnalysis,
  MediaSource,
} from './index.js'
import type { MediaTools } from './media-tools.js'
import { SAMPLE_BYTES, SAMPLE_RATE, samplesToMs } from './pcm.js'
import { PcmLanes } from './pcm-lanes.js'
import { PcmMeter } from './pcm-meter.js'
import { type SpeechBounds, speechMap } from './speech-map.js'
import type { VadLane } from './vad.js'

/** How a recording is analysed. */
export interface AnalyseOptions {
  tools: MediaTools
  channels: ChannelMode
  limits: MediaLimits
  speech: SpeechBounds
  /** Called about once for every minute of audio. */
  onProgress?: (progress: AnalysisProgress) => void
}

const PROGRESS_SAMPLES = 60 * SAMPLE_RATE

/**
 * The one pass over a recording: decodes it at full speed, hears every lane, measures it, and keeps
 * the very samples as FLAC in the spool folder (at most 32 kB a second and lane). Memory doesn't
 * grow with the length but for about 200 kB an hour and lane.
 *
 * @throws what `decodeRecording` throws; UpstreamError `decode_failed` when the voice detector dies
 */
export async function analyseMedia(
  source: MediaSource,
  options: AnalyseOptions,
  { signal }: { signal: AbortSignal },
): Promise<AnalysedMedia> {
  const { tools, channels, limits } = options
  const flacPath = path.join(tools.spoolDir, `analysis-${tools.random.hexId(8)}.flac`)
  const lanes: LaneEar[] = []
  const sinkFor = (facts: RecordingFacts) => {
    for (let lane = 0; lane < facts.lanes; lane += 1) lanes.push(new LaneEar(tools.vad.openLane()))
    return listen(lanes, { facts, signal, onProgress: options.onProgress })
  }
  try {
    const request = { tools, channels, limits, flacPath, sinkFor }
    const decoded = await decodeRecording(source, request, { signal })
    const flac = await spooledFlac(flacPath, { samples: decoded.samples, signal })
    const heard: LaneAnalysis[] = []
    for (const [index, lane] of lanes.entries()) {
      const channel = channels === 'mix' ? null : index
      const speech = await lane.finish({ bounds: options.speech, signal })
      heard.push({ channel, ...speech, speech: { method: tools.vad.method, ...speech.speech } })
    }
    const { container, codec, sampleRate, channels: channelCount } = decoded.facts
    const analysis = {
      durationMs: Math.round(samplesToMs(decoded.samples)),
      durationMethod: 'decoded' as const,
      samples: decoded.samples,
      container,
      codec,
      sampleRate,
      channels: channelCount,
      sha256: decoded.sha256,
      lanes: heard,
      warnings: decoded.warnings,
      decodeMs: decoded.decodeMs,
    }
    return { analysis, flac, [Symbol.asyncDispose]: () => flac[Symbol.asyncDispose]() }
  } catch (error) {
    await rm(flacPath, { force: true })
    throw error
  } finally {
    for (const lane of lanes) lane[Symbol.dispose]()
  }
}

function listen(
  lanes: readonly LaneEar[],
  {
    facts,
    signal,
    onProgress,
  }: {
    facts: RecordingFacts
    signal: AbortSignal
    onProgress: AnalyseOptions['onProgress']
  },
): PcmSink {
  const apart = new PcmLanes(lanes.length)
  let samples = 0
  let nextReport = PROGRESS_SAMPLES
  return async (pcm) => {
    for (const [index, laneSamples] of apart.push(pcm).entries()) {
      await lanes[index]?.push(laneSamples, signal)
    }
    samples += pcm.length / SAMPLE_BYTES / lanes.length
    if (samples < nextReport) return
    nextReport += PROGRESS_SAMPLES
    onProgress?.({ decodedMs: Math.round(samplesToMs(samples)), expectedMs: facts.expectedMs })
  }
}

type HeardLane = Pick<LaneAnalysis, 'levelDbfs' | 'pausesMs' | 'peaks'> & {
  speech: Omit<LaneAnalysis['speech'], 'method'>
}

/** Level, waveform and speech of one lane. */
class LaneEar implements Disposable {
  private readonly vad: VadLane
  private readonly meter = new PcmMeter()

  constructor(vad: VadLane) {
    this.vad = vad
  }

  async push(pcm: Int16Array, signal: AbortSignal): Promise<void> {
    this.meter.push(pcm)
    await this.vad.push(pcm, { signal })
  }

  async finish(options: { bounds: SpeechBounds; signal: AbortSignal }): Promise<HeardLane> {
    const { samples, levelDbfs, peaks } = this.meter.finish()
    const mask = await this.vad.finish({ signal: options.signal })
    const { pausesMs, ...speech } = speechMap(mask, samples, options.bounds)
    return { levelDbfs, peaks, pausesMs, speech }
  }

  [Symbol.dispose](): void {
    this.vad[Symbol.dispose]()
  }
}
