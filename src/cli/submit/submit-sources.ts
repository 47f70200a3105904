import { join } from 'node:path'
import type { OpenPorts } from '../../app/open-ports.js'
import { ConfigError, InputError, type NightscribeError } from '../../kernel/errors.js'
import { locationOf } from '../../kernel/location.js'
import { type SubmitOutcome, submitRecording } from '../../pipeline/intake/submit-recording.js'
import type { SubmissionOptions } from '../../queue/contract/submission-options.js'
import type { CommandContext } from '../command-context.js'
import { type ExpandedSource, expandSources } from './expand-sources.js'

/** One recording that was to be submitted, and the outcome. */
export interface Submitted {
  name: string
  /** Null where it could not become a job. */
  outcome: SubmitOutcome | null
  error: NightscribeError | null
}

/**
 * Submits everything that the arguments refer to, in order. One bad recording, or a bucket without
 * credentials, doesn't stop the others.
 * @throws errors that concern all recordings: settings, storage, Redis
 */
export async function submitSources(
  context: CommandContext,
  ports: OpenPorts,
  request: { arguments: readonly string[]; options: SubmissionOptions; signal: AbortSignal },
): Promise<Submitted[]> {
  const { settings, cwd, random } = context
  const { signal } = request
  const results: Submitted[] = []
  for (const argument of request.arguments) {
    const spoolDir = join(settings.stateDir, 'spool')
    const downloadBytesMax = settings.media.sourceBytesMax
    const { stdin } = context.terminal
    const expand = { ports, cwd, spoolDir, random, downloadBytesMax, stdin, signal }
    try {
      for (const source of await expandSources(argument, expand)) {
        results.push(await submitOne(ports, source, request.options, signal))
      }
    } catch (error) {
      results.push({ name: argument, outcome: null, error: ownErrorOf(error, argument) })
    }
  }
  const [first] = results
  if (first?.error && results.every(({ error }) => error instanceof ConfigError)) throw first.error
  return results
}

/** Submits one recording. An error of this recording alone becomes part of the result. */
export async function submitOne(
  ports: OpenPorts,
  source: ExpandedSource,
  options: SubmissionOptions,
  signal: AbortSignal,
): Promise<Submitted> {
  const { name } = source
  try {
    const address = await source.locate()
    const outcome = await submitRecording(ports, { ...address, name, ...options }, { signal })
    return { name, outcome, error: null }
  } catch (error) {
    return { name, outcome: null, error: ownErrorOf(error, name) }
  }
}

/** Returns an error that concerns this source alone. @throws every other error */
function ownErrorOf(error: unknown, name: string): NightscribeError {
  if (error instanceof InputError) return error
  // Our own storage has been opened by now, so a ConfigError means missing rights to this bucket.
  if (error instanceof ConfigError && locationOf(name).kind === 's3') return error
  throw error
}
