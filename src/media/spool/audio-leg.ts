import { withTimeout } from '../../kernel/abort.js'
import { UpstreamError } from '../../kernel/errors.js'
import { SAMPLE_BYTES } from '../../model/pcm.js'
import { laneGraph } from '../ffmpeg/decode-graph.js'
import { decodeAudio, type PcmSink } from '../ffmpeg/ffmpeg-decoder.js'
import { type FlacIndex, flacPart, readFlacIndex } from '../flac/flac-index.js'
import type { LegRange, MediaSource } from '../index.js'
import type { MediaTools } from '../media-tools.js'
import { PinnedReader } from '../pinned-reader.js'

/**
 * Decodes a part of one lane of a recording's FLAC: exactly the samples `[startSample, endSample)`
 * reach the sink. Only the header and the bytes between the seek points around the part are read.
 *
 * @throws RangeError when the part isn't inside the recording; the source's own error;
 *   UpstreamError `decode_failed` when the FLAC is damaged or time is up; the signal's reason
 */
export async function decodeLeg(
  leg: { tools: MediaTools; flac: MediaSource; range: LegRange },
  sink: PcmSink,
  { signal }: { signal: AbortSignal },
): Promise<void> {
  const { tools, flac, range } = leg
  const failed = (reason: string) =>
    new UpstreamError(
      'decode_failed',
      `Samples ${range.startSample} to ${range.endSample} of ${flac.name} could not be read: ` +
        `${reason}; delete that object and submit the recording again if this repeats.`,
      { effect: 'none', facts: { ...range } },
    )
  const onTimeout = () => failed(`it took longer than ${tools.decodeTimeoutMs} ms`)
  await withTimeout(tools.decodeTimeoutMs, signal, onTimeout, async (timed) => {
    const whole = new PinnedReader(flac, { clock: tools.clock })
    const index = await readFlacIndex(whole, { signal: timed })
    assertInside(range, index, flac.name)
    const part = flacPart(whole, index, range)
    // No retries here: the reader `whole` below this one has its own.
    using served = tools.proxy.open(part.source, { retriesMax: 0 })
    const wanted = new WantedSamples(range, part.firstSample, sink)
    const graph = laneGraph(range.lane)
    const request = { ffmpegPath: tools.ffmpegPath, url: served.url, graph, flacPath: null }
    await decodeAudio(request, (pcm) => wanted.take(pcm), { signal: timed })
    const failure = whole.failure ?? served.reader.failure
    if (failure) throw failure
    if (wanted.bytesLeft > 0) {
      throw failed(`${wanted.bytesLeft / SAMPLE_BYTES} samples are missing`)
    }
  })
}

function assertInside(range: LegRange, { info }: FlacIndex, name: string): void {
  const { lane, startSample, endSample } = range
  const whole = [lane, startSample, endSample].every(Number.isInteger)
  const inLane = startSample >= 0 && startSample < endSample && endSample <= info.samples
  if (whole && inLane && lane >= 0 && lane < info.channels) return
  throw new RangeError(
    `[${startSample}, ${endSample}) of lane ${lane} is not inside ${name} ` +
      `(${info.samples} samples, ${info.channels} lanes)`,
  )
}

/** Passes the wanted samples to the sink and drops those before and after them. */
class WantedSamples {
  /** Bytes of wanted samples that have not come yet. */
  bytesLeft: number
  private skipBytes: number
  private readonly sink: PcmSink

  constructor(range: LegRange, firstSample: number, sink: PcmSink) {
    this.skipBytes = (range.startSample - firstSample) * SAMPLE_BYTES
    this.bytesLeft = (range.endSample - range.startSample) * SAMPLE_BYTES
    this.sink = sink
  }

  async take(pcm: Uint8Array): Promise<void> {
    const skipped = Math.min(this.skipBytes, pcm.length)
    this.skipBytes -= skipped
    const wanted = pcm.subarray(skipped, skipped + this.bytesLeft)
    this.bytesLeft -= wanted.length
    if (wanted.length > 0) await this.sink(wanted)
  }
}
