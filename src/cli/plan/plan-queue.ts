import pLimit from 'p-limit'
import { UpstreamError } from '../../kernel/errors.js'
import { s3Address } from '../../kernel/location.js'
import { readJobDocument } from '../../pipeline/intake/read-job.js'
import { sourceOf } from '../../pipeline/intake/source-address.js'
import { storedMedia } from '../../pipeline/intake/stored-media.js'
import { openJobs } from '../../pipeline/lifecycle/reconcile-jobs.js'
import { isFinal } from '../../queue/contract/job-status.js'
import type { JobRecord } from '../../queue/index.js'
import {
  type AnalysisDocument,
  analysisDocument,
} from '../../storage/documents/analysis-document.js'
import type { JobDocument } from '../../storage/documents/job-document.js'
import { readJson } from '../../storage/documents/stored-json.js'
import type { ObjectStore } from '../../storage/index.js'
import { analysisKey } from '../../storage/keys.js'
import { openObjectStore } from '../../storage/open-object-store.js'
import type { CommandContext } from '../command-context.js'
import { openRunning } from '../open-running.js'
import type { Unprobed } from './plan-probe.js'
import type { PlanRecording } from './plan-recording.js'

/** Documents that are read at a time. */
const READS_AT_ONCE = 8

/** A job that hasn't ended. */
export interface OpenJob {
  /** The recording without its duration, which isn't known before the analysis. */
  readonly recording: Omit<PlanRecording, 'durationMs' | 'lengthFrom' | 'lanes'>
  readonly analysis: AnalysisDocument | null
  readonly isSplit: boolean
  /** Where the duration can be read when there is no analysis. */
  readonly source: Unprobed
}

/**
 * Every job that hasn't ended: from storage, which has all of them, and from the job records in
 * Redis, if one runs, which say how far each job is.
 * @throws what the store throws; the signal's reason
 */
export async function openJobsOf(
  context: CommandContext,
  options: { signal: AbortSignal; note(sentence: string): void },
): Promise<OpenJob[]> {
  const { signal, note } = options
  const { settings, clock, random } = context
  try {
    await using ports = await openRunning(context, signal)
    return await readJobs(ports, {
      signal,
      record: (jobId) => ports.jobStore.get(jobId, { signal }),
    })
  } catch (error) {
    if (!(error instanceof UpstreamError) || error.code !== 'queue_unavailable') throw error
    // A Redis named in the settings must answer: without it jobs that have begun would be planned
    // as if they hadn't.
    if (settings.redisUrl !== null) throw error
    note('No queue runs here: the jobs are those in storage, and none of them has begun.')
  }
  const store = await openObjectStore(settings, { clock, random })
  const sourceStore = (bucket: string) =>
    openObjectStore({ ...settings, storage: s3Address(bucket) }, { clock, random })
  return await readJobs({ store, sourceStore }, { signal, record: async () => null })
}

/** The stores from which jobs and their recordings are read. */
interface JobStores {
  store: ObjectStore
  sourceStore(bucket: string): Promise<ObjectStore>
}

async function readJobs(
  stores: JobStores,
  options: { signal: AbortSignal; record(jobId: string): Promise<JobRecord | null> },
): Promise<OpenJob[]> {
  const { signal } = options
  const jobIds: string[] = []
  for await (const jobId of openJobs(stores, { signal })) jobIds.push(jobId)
  const limit = pLimit(READS_AT_ONCE)
  const jobs = await Promise.all(
    jobIds.map((jobId) =>
      limit(async () => {
        const document = await readJobDocument(stores.store, jobId, { signal })
        const record = await options.record(jobId)
        if (!document || (record && isFinal(record.status))) return null
        const key = analysisKey(jobId)
        const analysis = await readJson(stores.store, key, analysisDocument, { signal })
        return openJob(stores, document, analysis, record)
      }),
    ),
  )
  return jobs.filter((job) => job !== null)
}

function openJob(
  stores: JobStores,
  document: JobDocument,
  analysis: AnalysisDocument | null,
  record: JobRecord | null,
): OpenJob {
  const { job_id: id, name, source, options } = document
  const { pace, priority, deadline_at: deadlineAt, channels } = options
  const isRunning = record !== null && ['admitted', 'running', 'finalizing'].includes(record.status)
  return {
    recording: {
      ...{ id, name, pace, priority, isRunning },
      deadlineMs: deadlineAt === null ? null : Date.parse(deadlineAt),
      doneMs: isRunning ? record.audioMsDone : 0,
    },
    analysis,
    isSplit: channels === 'split',
    source: {
      name,
      bytes: source.bytes,
      async open({ signal }) {
        const from = await sourceOf(stores, source.bucket)
        return storedMedia(from, await from.head(source.key, { signal }), name)
      },
    },
  }
}
