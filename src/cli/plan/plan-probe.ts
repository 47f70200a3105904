import pLimit from 'p-limit'
import type { Settings } from '../../config/schema.js'
import { withTimeout } from '../../kernel/abort.js'
import type { Clock } from '../../kernel/clock.js'
import { InputError, reasonOf, UpstreamError } from '../../kernel/errors.js'
import type { Random } from '../../kernel/random.js'
import { countedDuration } from '../../media/ffmpeg/decode-recording.js'
import { checkFfmpeg } from '../../media/ffmpeg/ffmpeg-binaries.js'
import { type ProbedMedia, probeMedia } from '../../media/ffmpeg/media-probe.js'
import { OGG_PAGE_BYTES_MAX, oggLengthMs } from '../../media/ffmpeg/ogg-tail.js'
import { RangeProxy } from '../../media/ffmpeg/range-proxy.js'
import type { MediaSource } from '../../media/index.js'
import type { PinnedReader } from '../../media/pinned-reader.js'

/** Most recordings that are opened to read their duration; for further ones it is guessed. */
const PROBES_MAX = 2_000
const PROBES_AT_ONCE = 4
const PROBE_TIMEOUT_MS = 20_000
const HEAD_BYTES = 64 * 1024

/** A recording whose duration is not known yet. */
export interface Unprobed {
  readonly name: string
  readonly bytes: number
  /** Opens the recording for reading by byte ranges. */
  open(options: { signal: AbortSignal }): Promise<MediaSource>
}

/** The duration of a recording, and how it is known. */
export type Probed =
  | { readonly kind: 'stated'; readonly durationMs: number; readonly channels: number }
  /**
   * A guess from the size: the header states no duration, or the recording wasn't or couldn't be
   * opened. `channels` is null where unknown.
   */
  | { readonly kind: 'guessed'; readonly durationMs: number; readonly channels: number | null }
  /** The file is no recording; the sentence says why. */
  | { readonly kind: 'unreadable'; readonly sentence: string }

/**
 * Bytes per second by name ending, for guesses where no recording with that ending has a known
 * duration.
 */
const TYPICAL_BYTES_PER_SECOND: Readonly<Record<string, number>> = {
  wav: 32_000,
  flac: 50_000,
  aif: 176_400,
  aiff: 176_400,
  opus: 4_000,
  ogg: 8_000,
  oga: 8_000,
  webm: 6_000,
  weba: 6_000,
  amr: 1_600,
  mp4: 150_000,
  mov: 500_000,
  mkv: 150_000,
}
const BYTES_PER_SECOND = 16_000

/**
 * Durations of recordings without decoding them, in the order given: as their headers state, with
 * the same parser as the analysis; else a guess from the size, at the bytes per second of other
 * recordings with the same ending.
 *
 * @param onProbed called after each recording that was opened
 * @throws ConfigError without ffprobe; the signal's reason
 */
export async function probeLengths(
  sources: readonly Unprobed[],
  parts: { settings: Settings; clock: Clock; random: Random; onProbed(done: number): void },
  { signal }: { signal: AbortSignal },
): Promise<Probed[]> {
  if (sources.length === 0) return []
  await checkFfmpeg(parts.settings.media, { signal })
  await using proxy = await RangeProxy.listen(parts)
  const limit = pLimit(PROBES_AT_ONCE)
  let done = 0
  const found = await Promise.all(
    sources.map((source, index) => {
      if (index >= PROBES_MAX) return null
      return limit(async () => {
        const answer = await probeOne(source, { ...parts, proxy }, signal)
        done += 1
        parts.onProbed(done)
        return answer
      })
    }),
  )
  const rates = bytesPerSecond(sources, found)
  return sources.map((source, index): Probed => {
    const answer = found[index] ?? null
    if (answer !== null && answer.kind !== 'silent') return answer
    const ending = endingOf(source.name)
    const rate = rates.get(ending) ?? TYPICAL_BYTES_PER_SECOND[ending] ?? BYTES_PER_SECOND
    const durationMs = Math.max(1_000, Math.round((source.bytes / rate) * 1000))
    return { kind: 'guessed', durationMs, channels: answer?.channels ?? null }
  })
}

type Answer = Exclude<Probed, { kind: 'guessed' }> | { kind: 'silent'; channels: number | null }

async function probeOne(
  source: Unprobed,
  parts: { settings: Settings; proxy: RangeProxy },
  signal: AbortSignal,
): Promise<Answer> {
  const onTimeout = () =>
    new UpstreamError('storage_unavailable', `${source.name} could not be opened in time.`)
  try {
    return await withTimeout(PROBE_TIMEOUT_MS, signal, onTimeout, async (timed) => {
      using served = parts.proxy.open(await source.open({ signal: timed }), { retriesMax: 1 })
      const { reader } = served
      const head = await reader.readAll({ startByte: 0, endByte: HEAD_BYTES }, { signal: timed })
      const { ffprobePath } = parts.settings.media
      const probed = await probeMedia(served, { ffprobePath, head, signal: timed })
      const { container, channels } = probed
      const counted = await countedDuration(reader, { container, head, signal: timed })
      const durationMs = counted ?? probed.headerMs ?? (await oggLength(reader, probed, timed))
      if (durationMs === null) return { kind: 'silent', channels }
      return { kind: 'stated', durationMs, channels }
    })
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof InputError) return { kind: 'unreadable', sentence: reasonOf(error) }
    if (error instanceof UpstreamError) return { kind: 'silent', channels: null }
    throw error
  }
}

async function oggLength(
  reader: PinnedReader,
  probed: ProbedMedia,
  signal: AbortSignal,
): Promise<number | null> {
  if (probed.container !== 'ogg') return null
  const { bytes } = reader.source
  const startByte = Math.max(0, bytes - OGG_PAGE_BYTES_MAX)
  return oggLengthMs(await reader.readAll({ startByte, endByte: bytes }, { signal }), probed)
}

/** Bytes per second by name ending: the median over the recordings whose duration is known. */
function bytesPerSecond(
  sources: readonly Unprobed[],
  found: readonly (Answer | null)[],
): Map<string, number> {
  const rates = new Map<string, number[]>()
  for (const [index, { name, bytes }] of sources.entries()) {
    const answer = found[index]
    if (answer?.kind !== 'stated') continue
    const ending = endingOf(name)
    rates.set(ending, [...(rates.get(ending) ?? []), (bytes * 1000) / answer.durationMs])
  }
  const medians = [...rates].map(([ending, all]) => {
    const median = all.sort((one, other) => one - other)[all.length >> 1] as number
    return [ending, median] as const
  })
  return new Map(medians)
}

function endingOf(name: string): string {
  return /\.([a-z0-9]+)$/i.exec(name)?.[1]?.toLowerCase() ?? ''
}
