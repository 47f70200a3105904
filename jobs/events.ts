import type { Logger } from 'pino'
import type { EngineEvents, KnownEngine } from '../src/engines/index.js'
import { NightscribeError, systemCode } from '../src/kernel/errors.js'
import { NO_TALLY } from '../src/latency/work-tally.js'
import type { CleanReport } from '../src/pipeline/housekeeping/clean-up.js'
import type { WorkObserver } from '../src/pipeline/index.js'
import type { JobError, Stage } from '../src/queue/index.js'

/**
 * All events that a worker logs, one function each. They get ids and counts, never text of a
 * recording, and never a credential.
 */
export interface WorkerEvents extends WorkObserver, EngineEvents {
  ready(engines: readonly KnownEngine[]): void
  attemptStarted(stage: Stage, jobId: string, failuresSinceProgress: number): void
  attemptDone(stage: Stage, jobId: string): void
  attemptEnded(stage: Stage, jobId: string, how: string, error: JobError | null): void
  /** An attempt met a bug: logs its stack, and nothing of the recording. */
  bug(stage: Stage, jobId: string, thrown: unknown): void
  looksFailed(error: unknown): void
  reconciled(jobIds: readonly string[]): void
  reconcileFailed(error: unknown): void
  redisError(error: Error): void
  queueError(error: unknown): void
  /** A run of housekeeping ended, with or without leftovers. */
  cleaned(report: CleanReport): void
  cleaningFailed(error: unknown): void
  metricsServed(address: { host: string; port: number }): void
}

/** Writes the events of a worker as lines of its log. */
export function workerEvents(log: Logger): WorkerEvents {
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
    attemptStarted: (stage, jobId, failuresSinceProgress) =>
      log.info({ stage, jobId, failuresSinceProgress }, 'attempt started'),
    attemptDone: (stage, jobId) => log.info({ stage, jobId }, 'attempt done'),
    attemptEnded: (stage, jobId, how, error) =>
      log[how === 'waiting' ? 'info' : 'warn'](
        { stage, jobId, how, code: error?.code ?? null },
        'attempt ended',
      ),
    bug: (stage, jobId, thrown) => log.error({ stage, jobId, stack: stackOf(thrown) }, 'bug'),
    checkpointed: (jobId, { number, audioMs }) =>
      log.debug({ jobId, number, audioMs }, 'checkpoint'),
    checkpointFailed: (jobId, error) => log.warn({ jobId, ...facts(error) }, 'checkpoint failed'),
    resumed: (jobId, fromMs) => log.info({ jobId, fromMs }, 'resumed'),
    engine: (url, event) => log.info({ host: new URL(url).host, ...event }, 'engine'),
    engineHealth: (url, state, reason) =>
      log.warn({ host: new URL(url).host, state, reason }, 'engine health'),
    looksFailed: (error) => log.error(facts(error), 'looking after engines failed'),
    reconciled: (jobIds) => log.warn({ count: jobIds.length, jobIds }, 'lost jobs queued again'),
    reconcileFailed: (error) => log.error(facts(error), 'looking for lost jobs failed'),
    redisError: (error) => log.error(facts(error), 'redis connection'),
    queueError: (error) => log.error(facts(error), 'queue'),
    ...NO_TALLY, // events of legs and frames go to metrics only: they would flood the log
    audited: (jobId, { found, repaired, foundMs }) =>
      log[found > repaired ? 'warn' : 'debug']({ jobId, found, repaired, foundMs }, 'audited'),
    cleaned: ({ sums: { removed, failed, left }, unseen }) =>
      log[failed.items > 0 || unseen.length > 0 ? 'warn' : 'info'](
        { removed, failed, left, unseen },
        'leftovers removed',
      ),
    cleaningFailed: (error) => log.error(facts(error), 'removing leftovers failed'),
    metricsServed: ({ host, port }) => log.info({ host, port }, 'metrics served'),
  }
}

/**
 * Class, codes and numbers of an error, without its sentence, which may name files or quote input.
 * Where a person has to act, the sentence is in the job record and in the command's output.
 */
function facts(error: unknown): object {
  const name = error instanceof Error ? error.name : typeof error
  if (!(error instanceof NightscribeError)) return { error: name, errno: systemCode(error) }
  const counts = Object.entries(error.facts).filter(([, value]) => typeof value === 'number')
  const cause = error.cause === undefined ? null : systemCode(error.cause)
  return { error: name, code: error.code, errno: cause, ...Object.fromEntries(counts) }
}

/** Class and stack of an error, without its message, which may quote input. */
function stackOf(thrown: unknown): string[] {
  if (!(thrown instanceof Error)) return [typeof thrown]
  const lines = (thrown.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  return [thrown.name, ...lines.map((line) => line.trim())]
}
