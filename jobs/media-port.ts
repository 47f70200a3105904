import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Settings } from '../src/config/schema.js'
import type { Clock } from '../src/kernel/clock.js'
import type { Random } from '../src/kernel/random.js'
import { analyseMedia } from '../src/media/analyse.js'
import { openMediaTools } from '../src/media/media-tools.js'
import { LegSpool } from '../src/media/spool/leg-spool.js'
import { ownSpoolName } from '../src/media/spool/spool-folders.js'
import { vadSettings } from '../src/media/vad/vad-settings.js'
import type { MediaPort } from '../src/pipeline/index.js'

/**
 * Opens ffmpeg, the voice detector and the spool of this process. The spool folder is named by host
 * and process id, so that workers with the same state folder don't empty each other's.
 */
export async function openMedia(
  settings: Settings,
  options: { clock: Clock; random: Random; signal: AbortSignal },
): Promise<MediaPort & AsyncDisposable> {
  const { clock, random, signal } = options
  const { ffmpegPath, ffprobePath, decodeTimeoutMs, decodesMax, spoolBytesMax } = settings.media
  const spoolDir = join(settings.stateDir, 'spool', ownSpoolName())
  // The folder of a dead process that had the same id is removed.
  await rm(spoolDir, { recursive: true, force: true })
  const { method, ...vad } = settings.vad
  const { threshold, ...speech } = vadSettings(vad)
  const tools = await openMediaTools(
    {
      ...{ ffmpegPath, ffprobePath, decodeTimeoutMs, spoolDir, clock, random },
      vad: { method, threshold },
    },
    { signal },
  )
  const spool = new LegSpool({ tools, decodesMax, spoolBytesMax })
  return {
    analyse: (source, { channels, signal }) =>
      analyseMedia(source, { tools, channels, limits: settings.media, speech }, { signal }),
    openLeg: (flac, range, { signal }) => spool.openLeg(flac, range, { signal }),
    async [Symbol.asyncDispose]() {
      await tools[Symbol.asyncDispose]()
      await rm(spoolDir, { recursive: true, force: true })
    },
  }
}
