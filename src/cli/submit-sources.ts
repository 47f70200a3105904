import { join } from 'node:path'
import { NightscribeError } from '../kernel/errors.js'
import { type SubmitOutcome, submitRecording } from '../pipeline/submit-recording.js'
import type { CommandContext } from './command-context.js'
import { type ExpandedSource, expandSources } from './expand-sources.js'
import type { OpenPorts } from './open-ports.js'
import type { SubmitOptions } from './submit-options.js'

/** One recording that was to be submitted, and what came of it. */
export interface Submitted {
  name: string
  /** Null where it could not become a job. */
  outcome: SubmitOutcome | null
  error: NightscribeError | null
}

/**
 * Submits everything that the arguments stand for, in order. A bad one never stops the others; only
 * what concerns all of them (settings, storage, Redis) is thrown.
 */
export async function submitSources(
  context: CommandContext,
  ports: OpenPorts,
  request: { arguments: readonly string[]; options: SubmitOptions; signal: AbortSignal },
): Promise<Submitted[]> {
  const { settings, cwd, random } = context
  const { signal } = request
  const results: Submitted[] = []
  for (const argument of request.arguments) {
    const spoolDir = join(settings.stateDir, 'spool')
    const downloadBytesMax = settings.media.sourceBytesMax
    const expand = { ports, cwd, spoolDir, random, downloadBytesMax, signal }
    try {
      for (const source of await expandSources(argument, expand)) {
        results.push(await submitOne(ports, source, request.options, signal))
      }
    } catch (error) {
      results.push({ name: argument, outcome: null, error: inputErrorOf(error) })
    }
  }
  return results
}

/** Submits one recording; a fault of the recording itself becomes part of the result. */
export async function submitOne(
  ports: OpenPorts,
  source: ExpandedSource,
  options: SubmitOptions,
  signal: AbortSignal,
): Promise<Submitted> {
  const { name } = source
  try {
    const address = await source.locate()
    const outcome = await submitRecording(ports, { ...address, name, ...options }, { signal })
    return { name, outcome, error: null }
  } catch (error) {
    return { name, outcome: null, error: inputErrorOf(error) }
  }
}

/** @throws everything but a fault of the input */
function inputErrorOf(error: unknown): NightscribeError {
  if (error instanceof NightscribeError && error.name === 'InputError') return error
  throw error
}
