import { createReadStream } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { SweepReport } from '../../planning/sweep/report.js'
import { sweepPrefix } from '../../storage/keys.js'
import { openObjectStore } from '../../storage/open-object-store.js'
import type { CommandContext } from '../command-context.js'
import { writeFailure } from './event-log.js'
import { reportHtml } from './report/report-html.js'

/**
 * The files of a sweep, in the folder and below the prefix in storage. Other programs read them by
 * these names.
 */
const FILES = [
  { name: 'events.ndjson', contentType: 'application/x-ndjson' },
  { name: 'report.json', contentType: 'application/json' },
  { name: 'report.html', contentType: 'text/html; charset=utf-8' },
] as const

/**
 * Folder in which a sweep is written. Disposing it removes files that have been copied to storage.
 */
export interface SweepFolder extends AsyncDisposable {
  eventsPath: string
  /** Writes the report beside the events. @returns where both are, for people */
  keep(report: SweepReport, options: { signal: AbortSignal }): Promise<string>
}

/**
 * Creates the folder that `--out` names, or a temporary one for `sweeps/<id>/` in object storage.
 * @throws UpstreamError `output_write_failed`; ConfigError for a storage that can't be opened
 */
export async function openSweepFolder(
  context: CommandContext,
  { sweepId, out }: { sweepId: string; out: string | null },
): Promise<SweepFolder> {
  const folder =
    out === null ? join(context.settings.stateDir, 'sweeps', sweepId) : resolve(context.cwd, out)
  // The storage is opened before the sweep, so that a wrong setting doesn't show only after hours
  // of measuring.
  const store = out === null ? await openObjectStore(context.settings, context) : null
  await mkdir(folder, { recursive: true }).catch((cause) => {
    throw writeFailure(folder, cause)
  })
  let isOnlyCopy = false
  return {
    eventsPath: join(folder, 'events.ndjson'),
    async keep(report, { signal }) {
      await writeReport(folder, report)
      isOnlyCopy = true
      if (store === null) return folder
      const prefix = sweepPrefix(sweepId)
      for (const { name, contentType } of FILES) {
        const body = createReadStream(join(folder, name))
        await store.put(prefix + name, body, { signal, contentType })
      }
      isOnlyCopy = false
      return `${store.location}/${prefix}`
    },
    async [Symbol.asyncDispose]() {
      if (store !== null && !isOnlyCopy) await rm(folder, { recursive: true, force: true })
    },
  }
}

async function writeReport(folder: string, report: SweepReport): Promise<void> {
  const files = {
    'report.json': `${JSON.stringify(report, null, 2)}\n`,
    'report.html': reportHtml(report),
  }
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name)
    await writeFile(path, content).catch((cause) => {
      throw writeFailure(path, cause)
    })
  }
}
