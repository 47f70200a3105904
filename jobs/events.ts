import { type DestinationStream, pino } from 'pino'
import type { KeeperEvent } from '../src/admission/engine-keeper.js'
import { NightscribeError, reasonOf } from '../src/kernel/errors.js'
import type { KnownEngine } from '../src/pipeline/index.js'
import type { JobError, Stage } from '../src/queue/index.js'

/**
 * Everything a worker logs, one function an event: ids and counts, never text, never a credential.
 */
export interface WorkerEvents {
  ready(engines: readonly KnownEngine[]): void
  attemptStarted(stage: Stage, jobId: string, number: number): void
  attemptDone(stage: Stage, jobId: string): void
  attemptEnded(stage: Stage, jobId: string, how: string, error: JobError | null): void
  /** A keeper saw or did something. */
  engine(url: string, event: KeeperEvent): void
  engineHealth(url: string, state: string, reason: string | null): void
  looksFailed(error: unknown): void
  reconciled(jobIds: readonly string[]): void
  reconcileFailed(error: unknown): void
  redisError(error: Error): void
  queueError(error: unknown): void
}

/** JSON lines on stderr. */
export function workerEvents(
  level: string,
  stream: DestinationStream = pino.destination(2),
): WorkerEvents {
  const log = pino(
    { level, base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime },
    stream,
  )
  return {
    ready: (engines) =>
      log.info(
        {
          engines: engines.map(({ address, description: { version, isStandin } }) => ({
            host: new URL(address.url).host,
            version,
            isStandin,
          })),
        },
        'ready',
      ),
    attemptStarted: (stage, jobId, number) => log.info({ stage, jobId, number }, 'attempt started'),
    attemptDone: (stage, jobId) => log.info({ stage, jobId }, 'attempt done'),
    attemptEnded: (stage, jobId, how, error) =>
      log[how === 'waiting' ? 'info' : 'warn'](
        { stage, jobId, how, code: error?.code ?? null },
        'attempt ended',
      ),
    engine: (url, event) => log.info({ host: new URL(url).host, ...event }, 'engine'),
    engineHealth: (url, state, reason) =>
      log.warn({ host: new URL(url).host, state, reason }, 'engine health'),
    looksFailed: (error) => log.error(facts(error), 'looking after engines failed'),
    reconciled: (jobIds) => log.warn({ count: jobIds.length, jobIds }, 'lost jobs queued again'),
    reconcileFailed: (error) => log.error(facts(error), 'looking for lost jobs failed'),
    redisError: (error) => log.error(facts(error), 'redis connection'),
    queueError: (error) => log.error(facts(error), 'queue'),
  }
}

function facts(error: unknown): object {
  if (error instanceof NightscribeError) return { code: error.code, reason: error.message }
  return { reason: reasonOf(error) }
}
