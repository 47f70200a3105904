import { z } from 'zod'

/**
 * `failure.json` below the last attempt's prefix: the job ended without a transcript, and no worker
 * starts it again unasked. `jobs retry` and a new submission remove this file, and no other file of
 * the job.
 */
export const failureDocument = z.object({
  schema: z.literal('nightscribe.failure/1'),
  job_id: z.string(),
  fence: z.int().min(1),
  /** Number of attempts that got their sessions; missing in older releases' documents. */
  attempt: z.int().min(0).optional(),
  failed_at: z.string(),
  /** `failed` or `canceled`. */
  status: z.enum(['failed', 'canceled']).default('failed'),
  /** One of `ERROR_CODES`; another release may have more. */
  code: z.string(),
  /** What happened, one sentence. */
  detail: z.string(),
  /** Stage that failed; null for a job that was canceled. */
  stage: z.enum(['analyse', 'transcribe']).nullable().default(null),
  /** Failures since audio was last made safe; null where they were not counted. */
  failures_since_progress: z.int().nullable().default(null),
  /** Former name of `failures_since_progress`; written for one more release. */
  tries: z.int().nullable().default(null),
  /** The recording is not to blame: a dead letter, which `jobs retry --failed` starts again. */
  retryable: z.boolean().default(false),
  /** Whether `jobs retry` can succeed, at once or after the advice was followed. */
  retry_helps: z.boolean().default(true),
  /** What to do about it, one sentence. */
  advice: z.string().default(''),
})

/** The content of `failure.json`, parsed. */
export type FailureDocument = z.infer<typeof failureDocument>
