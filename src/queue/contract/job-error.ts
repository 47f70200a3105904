import { z } from 'zod'
import type { ErrorCode } from '../../kernel/errors.js'

/**
 * Why a job failed, or why its last attempt did. `detail` is one sentence for a person.
 * `retryable`: the recording is not to blame, so `jobs retry` continues from the checkpoint; a
 * failed job with `retryable` is a dead letter.
 */
export const jobError = z.object({
  code: z.custom<ErrorCode>((value) => typeof value === 'string'), // another release may have more
  detail: z.string(),
  retryable: z.boolean(),
  stage: z.enum(['analyse', 'transcribe']),
})

/** See `jobError`. */
export type JobError = z.infer<typeof jobError>
