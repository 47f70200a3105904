import { InputError } from '../../kernel/errors.js'
import { PEAKS_PER_SECOND } from '../../media/index.js'
import type { Attempt } from '../../queue/index.js'
import {
  type AnalysisDocument,
  analysisDocument,
} from '../../storage/documents/analysis-document.js'
import type { JobDocument } from '../../storage/documents/job-document.js'
import { PackedRanges } from '../../storage/documents/packed-ranges.js'
import { readJson, writeJson } from '../../storage/documents/stored-json.js'
import { analysisKey, audioKey, peaksKey } from '../../storage/keys.js'
import type { WorkPorts } from '../index.js'
import { completedBy } from '../lifecycle/record-of-job.js'
import { readManifest } from '../result/commit-result.js'
import { readJob } from './read-job.js'
import { sourceOf } from './source-address.js'
import { storedMedia } from './stored-media.js'

/**
 * First stage of a job: decodes the recording once at full speed, and stores what is known of it
 * (`analysis.json`), its waveform and the decoded audio, from which every leg is read. Then it
 * queues the job for the second stage. A second run finds the analysis and only queues the job.
 */
export async function analyseRecording(ports: WorkPorts, attempt: Attempt): Promise<void> {
  const { jobId, signal } = attempt
  const { jobStore, store, queue } = ports
  const done = await readManifest(store, jobId, { signal })
  if (done)
    return await jobStore.update(jobId, completedBy(done, await jobStore.get(jobId, { signal })), {
      signal,
    })
  const job = await readJob(ports.store, jobId, { signal })
  await jobStore.update(jobId, { status: 'probing', error: null }, { signal })
  const analysis =
    (await existingAnalysis(ports, jobId, signal)) ?? (await analyse(ports, job, signal))
  await attempt.assertOwned()
  const { warnings, duration_ms: audioMsTotal } = analysis
  // The record is updated before the job is queued: a worker may take the job at once, and this
  // update must not overwrite that worker's.
  await jobStore.update(jobId, { status: 'queued', audioMsTotal, warnings }, { signal })
  await queue.enqueue('transcribe', jobId, { priority: job.options.priority, signal })
}

/** The analysis of an earlier run; null where it or its decoded audio is missing. */
async function existingAnalysis(
  ports: WorkPorts,
  jobId: string,
  signal: AbortSignal,
): Promise<AnalysisDocument | null> {
  const analysis = await readJson(ports.store, analysisKey(jobId), analysisDocument, { signal })
  if (!analysis) return null
  for await (const { key } of ports.store.list(audioKey(jobId), { signal })) {
    if (key === audioKey(jobId)) return analysis
  }
  return null
}

async function analyse(
  ports: WorkPorts,
  job: JobDocument,
  signal: AbortSignal,
): Promise<AnalysisDocument> {
  const { store, media, jobStore } = ports
  const { job_id: jobId, source } = job
  const from = await sourceOf(ports, source.bucket)
  const head = await from.head(source.key, { signal })
  if (head.etag !== source.etag) {
    throw new InputError(
      'media_changed',
      `${job.name} was replaced after it was submitted; submit it again.`,
    )
  }
  const { channels } = job.options
  await using analysed = await media.analyse(storedMedia(from, head, job.name), {
    channels,
    signal,
  })
  const { analysis, flac } = analysed
  const audio = flac.stream({ signal })
  await store.put(audioKey(jobId), audio, { signal, contentType: 'audio/flac' })
  const lanes: AnalysisDocument['lanes'] = []
  for (const lane of analysis.lanes) {
    const key = peaksKey(jobId, lane.channel)
    await store.put(key, lane.peaks, { signal, contentType: 'application/octet-stream' })
    lanes.push({
      channel: lane.channel,
      level_dbfs: lane.levelDbfs,
      speech: {
        method: lane.speech.method,
        segments_ms: new PackedRanges(lane.speech.segmentsMs),
        speech_ms: lane.speech.speechMs,
      },
      pauses_ms: new PackedRanges(lane.pausesMs),
      peaks: { per_second: PEAKS_PER_SECOND, key },
    })
  }
  const document: AnalysisDocument = {
    schema: 'nightscribe.analysis/1',
    duration_ms: analysis.durationMs,
    duration_method: analysis.durationMethod,
    samples: analysis.samples,
    decode_ms: analysis.decodeMs,
    container: analysis.container,
    codec: analysis.codec,
    sample_rate: analysis.sampleRate,
    channels: analysis.channels,
    sha256: analysis.sha256,
    audio_key: audioKey(jobId),
    lanes,
    warnings: analysis.warnings,
  }
  await writeJson(store, analysisKey(jobId), document, { signal })
  await jobStore.update(jobId, { audioMsTotal: analysis.durationMs }, { signal })
  return document
}
