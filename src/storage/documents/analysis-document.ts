import { z } from 'zod'
import { PackedRanges } from './packed-ranges.js'

const msRanges = z
  .array(z.tuple([z.number(), z.number()]))
  .transform((ranges) => new PackedRanges(ranges))

/** `analysis.json`: the facts that the analysis pass found about a recording. */
export const analysisDocument = z.object({
  schema: z.literal('nightscribe.analysis/1'),
  duration_ms: z.number().positive(),
  duration_method: z.literal('decoded'),
  /** Length of every lane, in samples of 16 kHz. */
  samples: z.int().min(1),
  decode_ms: z.number(),
  container: z.string(),
  codec: z.string(),
  sample_rate: z.int(),
  channels: z.int(),
  sha256: z.string(),
  audio_key: z.string(),
  lanes: z
    .array(
      z.object({
        channel: z.int().nullable(),
        level_dbfs: z.number().nullable(),
        speech: z.object({
          method: z.enum(['silero-v6', 'energy']),
          segments_ms: msRanges,
          speech_ms: z.number(),
        }),
        pauses_ms: msRanges,
        peaks: z.object({ per_second: z.int(), key: z.string() }),
      }),
    )
    .min(1),
  warnings: z.array(z.string()),
})

/** The content of `analysis.json`, parsed. */
export type AnalysisDocument = z.infer<typeof analysisDocument>
