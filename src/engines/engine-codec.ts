import { z } from 'zod'

const models = z.object({
  data: z.array(z.object({ id: z.string(), max_model_len: z.int().nullish() })),
})
const version = z.object({ version: z.string() })

/** A model that an engine serves. */
export interface ServedModel {
  id: string
  /** The longest session it takes, in tokens; null where the server doesn't tell. */
  maxModelLen: number | null
}

/** The models in an answer of `/v1/models`; null where the JSON has another shape. */
export function parseModels(json: unknown): ServedModel[] | null {
  const parsed = models.safeParse(json)
  if (!parsed.success) return null
  return parsed.data.data.map(({ id, max_model_len }) => ({
    id,
    maxModelLen: max_model_len ?? null,
  }))
}

/** The version in an answer of `/version`; null where the JSON has another shape. */
export function parseVersion(json: unknown): string | null {
  const parsed = version.safeParse(json)
  return parsed.success ? parsed.data.version : null
}
