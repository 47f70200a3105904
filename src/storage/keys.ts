/** The keys of all objects in storage: the scheme of the published contract. */

/** Prefix of all objects of a job. */
export const jobPrefix = (jobId: string) => `jobs/${jobId}/`
/** Key of a job's options and source, as they were submitted. */
export const jobKey = (jobId: string) => `jobs/${jobId}/job.json`
/** Key of a recording's analysis: length, speech, pauses, waveform. */
export const analysisKey = (jobId: string) => `jobs/${jobId}/analysis.json`
/** Key of the waveform of one lane; `channel` is null for the mix. */
export const peaksKey = (jobId: string, channel: number | null) =>
  `jobs/${jobId}/peaks${channel === null ? '' : `-${channel}`}.bin`
/** Key of the decoded audio, one channel for each lane; removed after the commit. */
export const audioKey = (jobId: string) => `jobs/${jobId}/audio.flac`
/** Key of the manifest: storing it is the commit of a job's result. */
export const manifestKey = (jobId: string) => `jobs/${jobId}/manifest.json`
/** Prefix of the result files, or of `failure.json`, of one attempt. */
export const attemptPrefix = (jobId: string, fence: number) => `jobs/${jobId}/a${fence}/`
/** Prefix of the checkpoints of all attempts at a job. */
export const checkpointPrefix = (jobId: string) => `jobs/${jobId}/checkpoints/`
/** Key of one checkpoint; `number` is 1-based within the attempt. */
export const checkpointKey = (jobId: string, fence: number, number: number) =>
  `${checkpointPrefix(jobId)}${fence}-${String(number).padStart(6, '0')}.json`

/** Fence and number in the key of a checkpoint; null for any other key. */
export function checkpointOfKey(key: string): { fence: number; number: number } | null {
  const [, fence, number] = /^jobs\/[^/]+\/checkpoints\/(\d+)-(\d+)\.json$/.exec(key) ?? []
  if (fence === undefined || number === undefined) return null
  return { fence: Number(fence), number: Number(number) }
}

/** Prefix of the inbox: `up` submits the recordings that are put there. */
export const INBOX_PREFIX = 'inbox/'

/** Key of an uploaded recording. */
export const recordingKey = (recordingId: string, extension: string) =>
  `recordings/${recordingId}/source${extension ? `.${extension}` : ''}`

/** The fence in a key below a job; null where the key has none. */
export function fenceOfKey(key: string): number | null {
  const found = /^jobs\/[^/]+\/(?:a(\d+)\/|checkpoints\/(\d+)-\d+\.json$)/.exec(key)
  const digits = found?.[1] ?? found?.[2]
  return digits === undefined ? null : Number(digits)
}

/** The files of a result, below its attempt's prefix, in the order in which they are stored. */
export const RESULT_NAMES = [
  'transcript.json',
  'transcript.srt',
  'transcript.vtt',
  'transcript.txt',
  'transcript.tsv',
  'metrics.json',
] as const

/** One of `RESULT_NAMES`. */
export type ResultName = (typeof RESULT_NAMES)[number]

const FAILURE_NAME = 'failure.json'

/** Key of the document that says that, and why, a job ended without a transcript. */
export const failureKey = (jobId: string, fence: number) =>
  `${attemptPrefix(jobId, fence)}${FAILURE_NAME}`

const JOB_FILE = /^(?:(?:job|manifest|analysis)\.json|audio\.flac|peaks(?:-\d+)?\.bin)$/
const CHECKPOINT_FILE = /^checkpoints\/\d+-\d+\.json$/
const ATTEMPT_NAMES: ReadonlySet<string> = new Set([...RESULT_NAMES, FAILURE_NAME])

/** Whether Nightscribe writes files of this name below a job's prefix; `name` is without it. */
export function isJobFile(name: string): boolean {
  if (JOB_FILE.test(name) || CHECKPOINT_FILE.test(name)) return true
  const [, inAttempt] = /^a\d+\/(.+)$/s.exec(name) ?? []
  return inAttempt !== undefined && ATTEMPT_NAMES.has(inAttempt)
}

/** The form of ids that `jobIdOf` makes; no folder of another program has such a name. */
const JOB_ID = /^[0-9a-hjkmnp-tv-z]{26}$/

/** Whether a text has the form of a job id. */
export function isJobId(text: string): boolean {
  return JOB_ID.test(text)
}

/** Whether Nightscribe uploads this key in parts: the bucket may hold uploads of other programs. */
export function isOwnUpload(key: string): boolean {
  const [, jobId] = /^jobs\/([^/]+)\/audio\.flac$/.exec(key) ?? []
  if (jobId !== undefined) return isJobId(jobId)
  return /^recordings\/[0-9a-f]{32}\/source(?:\.[^/]+)?$/.test(key)
}

/** Prefix of the events and reports of one capacity sweep. */
export const sweepPrefix = (sweepId: string) => `sweeps/${sweepId}/`
