import type { ManifestDocument } from '../../storage/documents/manifest-document.js'
import type { ObjectStore } from '../../storage/index.js'
import type { ResultName } from '../../storage/keys.js'

/** The key of one output file of a result, or null. */
export function outputKey(manifest: ManifestDocument, name: ResultName): string | null {
  return manifest.outputs.find((output) => output.name === name)?.key ?? null
}

/** Reads one output file whole; transcripts are small. */
export async function readOutput(
  { store }: { store: ObjectStore },
  key: string,
  { signal }: { signal: AbortSignal },
): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  const { body } = await store.get(key, { signal })
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks)
}
