/** Where everything of a job lies in storage (the key scheme of the outside contract). */

/** Everything of a job lies below this. */
export const jobPrefix = (jobId: string) => `jobs/${jobId}/`
/** Key of a job's options and source, as they were submitted. */
export const jobKey = (jobId: string) => `jobs/${jobId}/job.json`
/** Key of a recording's analysis: length, speech, pauses, waveform. */
export const analysisKey = (jobId: string) => `jobs/${jobId}/analysis.json`
/** Waveform of one lane; `channel` is null for the mix. */
export const peaksKey = (jobId: string, channel: number | null) =>
  `jobs/${jobId}/peaks${channel === null ? '' : `-${channel}`}.bin`
/** The decoded audio, one channel a lane; removed after the commit. */
export const audioKey = (jobId: string) => `jobs/${jobId}/audio.flac`
/** The commit. */
export const manifestKey = (jobId: string) => `jobs/${jobId}/manifest.json`
/** Everything that one attempt writes. */
export const attemptPrefix = (jobId: string, fence: number) => `jobs/${jobId}/a${fence}/`
/** Checkpoints of all attempts. */
export const checkpointPrefix = (jobId: string) => `jobs/${jobId}/checkpoints/`
/** One checkpoint; `number` is 1-based within the attempt. */
export const checkpointKey = (jobId: string, fence: number, number: number) =>
  `${checkpointPrefix(jobId)}${fence}-${String(number).padStart(6, '0')}.json`

/** Fence and number of a checkpoint's key; null where it is none. */
export function checkpointOfKey(key: string): { fence: number; number: number } | null {
  const [, fence, number] = /^jobs\/[^/]+\/checkpoints\/(\d+)-(\d+)\.json$/.exec(key) ?? []
  if (fence === undefined || number === undefined) return null
  return { fence: Number(fence), number: Number(number) }
}

/** Recordings dropped here are taken by `up`. */
export const INBOX_PREFIX = 'inbox/'

/** Where an uploaded recording is kept. */
export const recordingKey = (recordingId: string, extension: string) =>
  `recordings/${recordingId}/source${extension ? `.${extension}` : ''}`

/** The fence in a key below a job, or null when the key has none. */
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

/** Says that a job ended without a transcript, and why. */
export const failureKey = (jobId: string, fence: number) =>
  `${attemptPrefix(jobId, fence)}${FAILURE_NAME}`

const JOB_FILE = /^(?:(?:job|manifest|analysis)\.json|audio\.flac|peaks(?:-\d+)?\.bin)$/
const CHECKPOINT_FILE = /^checkpoints\/\d+-\d+\.json$/
const ATTEMPT_NAMES: ReadonlySet<string> = new Set([...RESULT_NAMES, FAILURE_NAME])

/** Whether we write a file of this name below a job's prefix; `name` without that prefix. */
export function isJobFile(name: string): boolean {
  if (JOB_FILE.test(name) || CHECKPOINT_FILE.test(name)) return true
  const [, inAttempt] = /^a\d+\/(.+)$/s.exec(name) ?? []
  return inAttempt !== undefined && ATTEMPT_NAMES.has(inAttempt)
}

/** As `jobIdOf` makes them; a folder of recordings has no such name. */
const JOB_ID = /^[0-9a-hjkmnp-tv-z]{26}$/

/** Whether this is the name of a job's prefix. */
export function isJobId(text: string): boolean {
  return JOB_ID.test(text)
}

/** Whether we put an object of this key in parts: a bucket may hold uploads of others. */
export function isOwnUpload(key: string): boolean {
  const [, jobId] = /^jobs\/([^/]+)\/audio\.flac$/.exec(key) ?? []
  if (jobId !== undefined) return isJobId(jobId)
  return /^recordings\/[0-9a-f]{32}\/source(?:\.[^/]+)?$/.test(key)
}

/** Events and reports of one capacity sweep. */
export const sweepPrefix = (sweepId: string) => `sweeps/${sweepId}/`
