import { z } from 'zod'

/** `manifest.json`: the commit. A file that it doesn't name is no part of the result. */
export const manifestDocument = z.object({
  schema: z.literal('nightscribe.manifest/1'),
  job_id: z.string(),
  fence: z.int().min(1),
  /** Number of the attempt as people see it: 1, 2, 3; missing in older releases' documents. */
  attempt: z.int().min(1).optional(),
  completed_at: z.string(),
  source: z.object({
    bucket: z.string(),
    key: z.string(),
    version_id: z.string().nullable(),
    etag: z.string(),
  }),
  outputs: z.array(
    z.object({ name: z.string(), key: z.string(), bytes: z.int(), sha256: z.string() }),
  ),
  warnings: z.array(z.string()),
})

/** The content of `manifest.json`, parsed. */
export type ManifestDocument = z.infer<typeof manifestDocument>
