import { z } from 'zod'

const group = z.object({
  text: z.string(),
  end_ms: z.number(),
  /** Index of its leg. */
  leg: z.int().min(0),
  step: z.int().min(0),
  /** Step and offset in the text of every delta; null where there is one only. */
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
 * `checkpoints/<fence>-<nnnnnn>.json`: all text of a job up to where it is safe, complete in
 * itself. Frames are steps of 80 ms of the recording.
 */
export const checkpointDocument = z.object({
  schema: z.literal('nightscribe.checkpoint/1'),
  job_id: z.string(),
  fence: z.int().min(1),
  /** Of people's count, 1, 2, 3; an older release counted by the fence. */
  attempt: z.int().min(1).optional(),
  number: z.int().min(1),
  written_at: z.string(),
  lanes: z
    .array(
      z.object({
        channel: z.int().nullable(),
        /** Audio before it is in the text; a resume begins here. */
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
  /** Where attempts before took the job over, in the order in which they did. */
  resumed_from_ms: z.array(z.number()),
})

/** The content of a checkpoint, parsed. */
export type CheckpointDocument = z.infer<typeof checkpointDocument>
