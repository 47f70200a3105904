import { z } from 'zod'

/**
 * `failure.json` below the last attempt's prefix: a job that ended without a transcript. Nobody
 * starts it again unasked; `jobs retry` and a new submission remove it, and nothing else of the
 * job.
 */
export const failureDocument = z.object({
  schema: z.literal('nightscribe.failure/1'),
  job_id: z.string(),
  fence: z.int().min(1),
  /** Attempts that got their sessions; an older release counted by the fence. */
  attempt: z.int().min(0).optional(),
  failed_at: z.string(),
  /** `failed` or `canceled`. */
  status: z.enum(['failed', 'canceled']).default('failed'),
  /** One of `ERROR_CODES`; another release may know more. */
  code: z.string(),
  /** What happened, one sentence. */
  detail: z.string(),
  /** Where: `analyse` or `transcribe`; null of one that was canceled while it waited. */
  stage: z.enum(['analyse', 'transcribe']).nullable().default(null),
  /** Since audio was last made safe; null where it wasn't counted. */
  failures_since_progress: z.int().nullable().default(null),
  /** The former name of that; written for one more release. */
  tries: z.int().nullable().default(null),
  /** The recording is not to blame: a dead letter, which `jobs retry --failed` starts again. */
  retryable: z.boolean().default(false),
  /** Whether `jobs retry` can lead to another end, also where something must be mended before. */
  retry_helps: z.boolean().default(true),
  /** What mends it, one sentence. */
  advice: z.string().default(''),
})

/** The content of `failure.json`, parsed. */
export type FailureDocument = z.infer<typeof failureDocument>
