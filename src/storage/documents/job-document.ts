import { z } from 'zod'
import { DEFAULT_TENANT, isTenantName } from '../../kernel/tenant.js'

/** `job.json`: the submission. Written before the job is queued, and never changed afterwards. */
export const jobDocument = z.object({
  schema: z.literal('nightscribe.job/1'),
  job_id: z.string(),
  /** The tenant that owns the job; older releases' documents lack it. */
  tenant: z.string().refine(isTenantName).default(DEFAULT_TENANT),
  created_at: z.string(),
  /** Name of the recording that people see. */
  name: z.string(),
  source: z.object({
    bucket: z.string(),
    key: z.string(),
    version_id: z.string().nullable(),
    etag: z.string(),
    bytes: z.int().min(0),
  }),
  options: z.object({
    channels: z.enum(['mix', 'split']),
    pace: z.union([z.number().positive(), z.literal('max')]),
    priority: z.int(),
    deadline_at: z.string().nullable(),
  }),
})

/** The content of `job.json`, parsed. */
export type JobDocument = z.infer<typeof jobDocument>
