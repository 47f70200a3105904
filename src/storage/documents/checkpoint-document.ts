import { z } from 'zod'

const group = z.object({
  text: z.string(),
  end_ms: z.number(),
  /** Index of its leg. */
  leg: z.int().min(0),
  step: z.int().min(0),
  /** Step and text offset of every delta of the group; null where it has only one. */
  pieces: z.array(z.tuple([z.int(), z.int()])).nullable(),
  is_tail: z.boolean(),
})

const leg = z.object({
  index: z.int().min(0),
  channel: z.int().nullable(),
  start: z.number(),
  end: z.number(),
  cut: z.enum(['pause', 'quiet', 'skip', 'end']),
  deltas: z.int().min(0),
  timing: z.enum(['token-step', 'estimated']),
  attempt: z.int().min(1),
  from_frame: z.int().min(0),
  end_frame: z.int().min(1),
  next_frame: z.int().min(0),
  samples: z.int().min(1),
  engine: z.object({
    model: z.string(),
    version: z.string().nullable(),
    is_standin: z.boolean(),
  }),
  kv_blocks: z.object({ granted: z.number(), held: z.number() }),
  held_ms: z.number(),
  lanes_running: z.int().min(0),
})

/**
 * `checkpoints/<fence>-<nnnnnn>.json`: all safe text of a job. Each checkpoint is complete without
 * the ones before it. Frames are steps of 80 ms of the recording.
 */
export const checkpointDocument = z.object({
  schema: z.literal('nightscribe.checkpoint/1'),
  job_id: z.string(),
  fence: z.int().min(1),
  /** Number of the attempt as people see it: 1, 2, 3; missing in older releases' documents. */
  attempt: z.int().min(1).optional(),
  number: z.int().min(1),
  written_at: z.string(),
  lanes: z
    .array(
      z.object({
        channel: z.int().nullable(),
        /** The text covers the audio before this offset, in ms; a resume begins here. */
        safe_offset_ms: z.number(),
        legs: z.array(leg),
        /** Word groups of all legs of the lane, in order. */
        groups: z.array(group),
      }),
    )
    .min(1),
  engine: z.object({
    model: z.string(),
    version: z.string().nullable(),
    delay_ms: z.number(),
  }),
  /** Offsets, in ms, at which attempts continued from a checkpoint, in order. */
  resumed_from_ms: z.array(z.number()),
})

/** The content of a checkpoint, parsed. */
export type CheckpointDocument = z.infer<typeof checkpointDocument>
