import { type OpenPorts, openPorts } from '../app/open-ports.js'
import { UpstreamError } from '../kernel/errors.js'
import type { CommandContext } from './command-context.js'

/**
 * Opens storage and queue of an installation that should be running.
 * @throws UpstreamError that says how to start one, where none runs
 */
export async function openRunning(
  context: CommandContext,
  signal: AbortSignal,
): Promise<OpenPorts> {
  try {
    return await openPorts(context.settings, { ...context, signal })
  } catch (error) {
    const embedded = context.settings.redisUrl === null
    if (!embedded || !(error instanceof UpstreamError) || error.code !== 'queue_unavailable') {
      throw error
    }
    throw new UpstreamError(
      'queue_unavailable',
      'Nothing runs here: start `npm start` in another terminal, or name a Redis in NIGHTSCRIBE_REDIS_URL.',
      { cause: error },
    )
  }
}
