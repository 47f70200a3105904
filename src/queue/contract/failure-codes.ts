import type { ErrorCode } from '../../kernel/errors.js'

/** Names of the classes in `src/kernel/errors.ts` that an attempt may end with. */
export type FailureClass =
  | 'ConfigError'
  | 'InputError'
  | 'CapacityError'
  | 'UpstreamError'
  | 'ProtocolError'

/** What an error code means to people whose job ended with it. */
export interface FailureCode {
  /** In a few words. */
  title: string
  /** Error classes with this code; the class decides whether the queue retries the job. */
  carriedBy: readonly FailureClass[]
  /** Whether a retry can succeed, at once or after the advice was followed. */
  retryHelps: boolean
  /**
   * What to do about it, one sentence. `{retry}` stands for the command that starts the job again.
   */
  advice: string
}

const SUBMIT_AGAIN = 'Submit the recording again.'
const REPAIR = 'Repair or replace the recording, then submit it again.'

/**
 * All error codes. `internal` is also the code of an error without a class, which is a bug.
 *
 * @NOTE `coverage_below_threshold` and `deadline_missed` are in the published contract, but no job
 * fails with them: a transcript with a hole, or a late one, is worth more than none.
 */
export const FAILURE_CODES: Readonly<Record<ErrorCode, FailureCode>> = {
  config_invalid: {
    title: 'A setting is wrong',
    carriedBy: ['ConfigError'],
    retryHelps: true,
    advice:
      'Correct the setting (`nightscribe doctor` shows it), restart the workers, then {retry}.',
  },
  input_not_found: {
    title: 'The recording is not there',
    carriedBy: ['InputError'],
    retryHelps: true,
    advice: 'Put the recording back in its place, then {retry}.',
  },
  input_forbidden: {
    title: 'The recording may not be read',
    carriedBy: ['InputError'],
    retryHelps: true,
    advice: 'Give Nightscribe the right to read it, then {retry}.',
  },
  input_unsupported: {
    title: 'This kind of file can not be read',
    carriedBy: ['InputError'],
    retryHelps: false,
    advice: 'Convert the recording to something that ffmpeg reads, then submit it again.',
  },
  no_audio_stream: {
    title: 'There is no sound in it',
    carriedBy: ['InputError'],
    retryHelps: false,
    advice: 'Submit the file that has the sound.',
  },
  media_corrupt: {
    title: 'The file is damaged',
    carriedBy: ['InputError'],
    retryHelps: false,
    advice: REPAIR,
  },
  media_too_long: {
    title: 'The recording is too long',
    carriedBy: ['InputError'],
    retryHelps: true,
    advice: 'Cut it into parts and submit those, or raise the limit and {retry}.',
  },
  media_too_large: {
    title: 'The file is too large',
    carriedBy: ['InputError'],
    retryHelps: true,
    advice: 'Encode it smaller and submit that, or raise the limit and {retry}.',
  },
  media_changed: {
    title: 'The recording was replaced',
    carriedBy: ['InputError'],
    retryHelps: false,
    advice: SUBMIT_AGAIN,
  },
  decode_failed: {
    title: 'Decoding failed',
    carriedBy: ['InputError', 'UpstreamError'],
    retryHelps: true,
    advice: 'Look at ffmpeg with `nightscribe doctor`, then {retry}.',
  },
  engine_unavailable: {
    title: 'No engine could be reached',
    carriedBy: ['CapacityError', 'UpstreamError'],
    retryHelps: true,
    advice: 'See that the engines are up (`nightscribe doctor`), then {retry}.',
  },
  engine_unauthorized: {
    title: 'The engine refuses our key',
    carriedBy: ['ConfigError', 'UpstreamError'],
    retryHelps: true,
    advice: 'Correct NIGHTSCRIBE_ENGINE_KEY, restart the workers, then {retry}.',
  },
  engine_model_missing: {
    title: 'The engine does not serve the model',
    carriedBy: ['ConfigError', 'UpstreamError'],
    retryHelps: true,
    advice: 'Start the engine with the model that the settings name, then {retry}.',
  },
  engine_overloaded: {
    title: 'The engine has no room',
    carriedBy: ['CapacityError', 'UpstreamError'],
    retryHelps: true,
    advice: 'Wait for a quieter hour or add an engine, then {retry}.',
  },
  engine_crashed: {
    title: 'The engine broke off',
    carriedBy: ['ConfigError', 'UpstreamError'],
    retryHelps: true,
    advice: "Look into the engine's log, start it again if it is down, then {retry}.",
  },
  engine_protocol: {
    title: 'The engine broke the protocol',
    carriedBy: ['ProtocolError', 'UpstreamError'],
    retryHelps: true,
    advice:
      "Compare the engine's version with the supported ones (`nightscribe doctor`), then {retry}.",
  },
  session_stalled: {
    title: 'The engine fell silent',
    carriedBy: ['UpstreamError'],
    retryHelps: true,
    advice: "Look at the engine's load and log, then {retry}.",
  },
  coverage_below_threshold: {
    title: 'Too much speech has no text',
    carriedBy: ['UpstreamError'],
    retryHelps: true,
    advice: "Look at the engine's log, then {retry}.",
  },
  storage_unavailable: {
    title: 'Storage could not be read',
    carriedBy: ['UpstreamError'],
    retryHelps: true,
    advice: 'See that storage is up (`nightscribe doctor`), then {retry}.',
  },
  queue_unavailable: {
    title: 'Redis could not be used',
    carriedBy: ['UpstreamError'],
    retryHelps: true,
    advice: 'See that Redis is up (`nightscribe doctor`), then {retry}.',
  },
  output_write_failed: {
    title: 'Storage could not be written',
    carriedBy: ['UpstreamError'],
    retryHelps: true,
    advice: 'Look at rights and free space of the storage, then {retry}.',
  },
  worker_lost: {
    title: 'Workers died at this recording',
    carriedBy: ['UpstreamError'],
    retryHelps: true,
    advice: "Look at the workers' logs and their host's memory, then {retry}.",
  },
  deadline_missed: {
    title: 'It was not done in time',
    carriedBy: ['InputError'],
    retryHelps: true,
    advice: 'Choose a later time, then {retry}.',
  },
  job_not_found: {
    title: 'What belongs to the job is gone',
    carriedBy: ['InputError'],
    retryHelps: false,
    advice: SUBMIT_AGAIN,
  },
  canceled: {
    title: 'It was canceled',
    carriedBy: [],
    retryHelps: true,
    advice: 'To start it all the same, {retry}.',
  },
  internal: {
    title: 'A bug in Nightscribe',
    carriedBy: ['InputError', 'UpstreamError', 'ProtocolError'],
    retryHelps: true,
    advice: "Report it with the worker's log; after an upgrade, {retry}.",
  },
}

/** What to do about a job that ended with this code: one sentence, with the retry command. */
export function adviceOn(code: ErrorCode, jobId: string): string {
  const advice = FAILURE_CODES[code]?.advice ?? FAILURE_CODES.internal.advice
  return advice.replace('{retry}', `\`nightscribe jobs retry ${jobId}\``)
}

/** See `FailureCode.retryHelps`; a code of another release counts as `internal`. */
export function retryHelps(code: ErrorCode): boolean {
  return (FAILURE_CODES[code] ?? FAILURE_CODES.internal).retryHelps
}
