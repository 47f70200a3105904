import { createReadStream, statSync } from 'node:fs'
import path from 'node:path'
import type { MediaSource } from '../../src/media/index.js'

/** A file as a source; counts what was asked of it. */
export interface FileSource extends MediaSource {
  reads: { startByte: number; endByte: number }[]
}

/** Reads by ranges, 256 KiB at a time. */
export function fileSource(file: string): FileSource {
  const reads: FileSource['reads'] = []
  return {
    name: path.basename(file),
    bytes: statSync(file).size,
    reads,
    read: async ({ startByte, endByte }) => {
      reads.push({ startByte, endByte })
      if (endByte <= startByte) return bytesOf(new Uint8Array(0))
      return createReadStream(file, { start: startByte, end: endByte - 1, highWaterMark: 2 ** 18 })
    },
  }
}

/** Bytes in memory as a source, in chunks of `chunkBytes`. */
export function bufferSource(bytes: Uint8Array, chunkBytes = 1000): MediaSource {
  return {
    name: 'buffer.bin',
    bytes: bytes.length,
    read: async ({ startByte, endByte }) => bytesOf(bytes.subarray(startByte, endByte), chunkBytes),
  }
}

/** What a broken store does with one read: throws before or within the answer, or just ends it. */
export type ReadFault = { afterBytes: number; error: Error | null }

/** The same source, whose reads go wrong as told, in order; later ones are good. */
export function faultySource(source: MediaSource, faults: ReadFault[]): MediaSource {
  return {
    ...source,
    read: async (range, options) => {
      const fault = faults.shift()
      const chunks = await source.read(range, options)
      return fault ? cut(chunks, fault) : chunks
    },
  }
}

async function* cut(
  chunks: AsyncIterable<Uint8Array>,
  { afterBytes, error }: ReadFault,
): AsyncGenerator<Uint8Array> {
  let bytesLeft = afterBytes
  for await (const chunk of chunks) {
    if (bytesLeft > 0) yield chunk.subarray(0, bytesLeft)
    bytesLeft -= chunk.length
    if (bytesLeft <= 0) break
  }
  if (error) throw error
}

async function* bytesOf(bytes: Uint8Array, chunkBytes = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
}
