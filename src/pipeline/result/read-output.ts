import type { ManifestDocument } from '../../storage/documents/manifest-document.js'
import type { ObjectStore } from '../../storage/index.js'
import type { ResultName } from '../../storage/keys.js'
import { readWholeBody } from '../../storage/object-body.js'

const OUTPUT_BYTES_MAX = 256 * 2 ** 20

/** The key of one output file of a result, or null. */
export function outputKey(manifest: ManifestDocument, name: ResultName): string | null {
  return manifest.outputs.find((output) => output.name === name)?.key ?? null
}

/**
 * Reads one output file whole.
 * @throws InputError `media_too_large` above 256 MiB, a hundred times the longest transcript
 */
export async function readOutput(
  { store }: { store: ObjectStore },
  key: string,
  { signal }: { signal: AbortSignal },
): Promise<Buffer> {
  return await readWholeBody(await store.get(key, { signal }), { key, bytesMax: OUTPUT_BYTES_MAX })
}
