import { createReadStream } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join, parse } from 'node:path'
import type { ChannelMode } from '../../media/index.js'
import { sourceAddress } from '../../pipeline/intake/source-address.js'
import { storeRecording } from '../../pipeline/intake/store-recording.js'
import type { ObjectStore } from '../../storage/index.js'
import type { ExpandedSource } from '../submit/expand-sources.js'

/** A recording that comes with the product. */
export interface Sample extends ExpandedSource {
  channels: ChannelMode
}

/** The samples, largest first: started last, the largest would delay the end of the whole batch. */
export async function readSamples(
  root: string,
  store: ObjectStore,
  options: { signal: AbortSignal },
): Promise<Sample[]> {
  const folder = join(root, 'samples', 'audio')
  const names = (await readdir(folder)).filter((name) => !name.startsWith('.'))
  const sized = await Promise.all(
    names.map(async (name) => ({ name, bytes: (await stat(join(folder, name))).size })),
  )
  sized.sort((a, b) => b.bytes - a.bytes || a.name.localeCompare(b.name))
  return await Promise.all(
    sized.map(async ({ name }) => ({
      name: join('samples', 'audio', name),
      channels: await channelsOf(root, name),
      locate: async () => {
        const read = () => createReadStream(join(folder, name))
        return sourceAddress(store, await storeRecording(store, { name, read }, options))
      },
    })),
  )
}

/** Channel mode of a sample: `split` where its reference has a text per channel, else `mix`. */
async function channelsOf(root: string, name: string): Promise<ChannelMode> {
  const path = join(root, 'samples', 'references', `${parse(name).name}.json`)
  const reference = await readFile(path, 'utf8').catch(() => '{}')
  const { channels } = JSON.parse(reference) as { channels?: unknown }
  return channels === 'split' ? 'split' : 'mix'
}
