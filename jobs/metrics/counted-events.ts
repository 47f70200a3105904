import type { Clock } from '../../src/kernel/clock.js'
import { NightscribeError } from '../../src/kernel/errors.js'
import type { WorkerEvents } from '../events.js'
import type { WorkerMetrics } from './worker-metrics.js'

/** Label `code` where there is no error. */
export const NO_CODE = 'none'

/** The code of an error as a label; `internal` for one without a class. */
export function codeOf(error: unknown): string {
  return error instanceof NightscribeError ? error.code : 'internal'
}

/** Label of an engine: host and port only, because its address may contain a password. */
export function engineLabel(url: string): string {
  return new URL(url).host
}

/** Counts events, and passes them on. */
export function countedEvents(
  events: WorkerEvents,
  metrics: WorkerMetrics,
  clock: Pick<Clock, 'monotonicMs' | 'wallMs'>,
): WorkerEvents {
  // These series exist from the start with 0: otherwise `increase` in an alert misses the first
  // error.
  for (const part of ['connection', 'queue']) metrics.redisErrors.at({ part })
  return {
    ...events,
    ...attempts(events, metrics, clock),
    ...engines(events, metrics),
    ...durability(events, metrics, clock),
    redisError(error) {
      metrics.redisErrors.at({ part: 'connection' }).add()
      events.redisError(error)
    },
    queueError(error) {
      metrics.redisErrors.at({ part: 'queue' }).add()
      events.queueError(error)
    },
    cleaned(report) {
      metrics.cleanedAt.at({}).set(clock.wallMs() / 1000)
      for (const [kind, { items, bytes }] of report.removed) {
        metrics.cleaned.at({ kind }).add(items)
        metrics.cleanedBytes.at({ kind }).add(bytes)
      }
      metrics.cleanFailed.at({}).add(report.sums.failed.items + report.unseen.length)
      events.cleaned(report)
    },
    cleaningFailed(error) {
      metrics.cleanFailed.at({}).add()
      events.cleaningFailed(error)
    },
  }
}

type Some = Partial<WorkerEvents>

/** Counts attempts, and keeps for each running transcription when its text was last made safe. */
function attempts(
  events: WorkerEvents,
  metrics: WorkerMetrics,
  clock: Pick<Clock, 'monotonicMs'>,
): Some {
  const { attemptsRunning, attemptsEnded, jobsEnded } = metrics
  return {
    attemptStarted(stage, jobId, failuresSinceProgress) {
      attemptsRunning.at({ stage }).add()
      if (stage === 'transcribe') metrics.safeSince.set(jobId, clock.monotonicMs())
      events.attemptStarted(stage, jobId, failuresSinceProgress)
    },
    attemptDone(stage, jobId) {
      attemptsRunning.at({ stage }).add(-1)
      attemptsEnded.at({ stage, outcome: 'done', code: NO_CODE }).add()
      if (stage === 'transcribe') {
        metrics.safeSince.delete(jobId)
        jobsEnded.at({ outcome: 'completed', code: NO_CODE }).add()
      }
      events.attemptDone(stage, jobId)
    },
    attemptEnded(stage, jobId, how, error) {
      const code = error?.code ?? NO_CODE
      attemptsRunning.at({ stage }).add(-1)
      attemptsEnded.at({ stage, outcome: how, code }).add()
      if (stage === 'transcribe') metrics.safeSince.delete(jobId)
      if (how === 'failed' || how === 'canceled') jobsEnded.at({ outcome: how, code }).add()
      events.attemptEnded(stage, jobId, how, error)
    },
    bug(stage, jobId, thrown) {
      metrics.bugs.at({}).add()
      events.bug(stage, jobId, thrown)
    },
    reconciled(jobIds) {
      metrics.reconciled.at({}).add(jobIds.length)
      events.reconciled(jobIds)
    },
  }
}

function engines(events: WorkerEvents, metrics: WorkerMetrics): Some {
  return {
    engine(url, event) {
      if (event.kind === 'session_evicted') {
        for (const each of [metrics.evicted, metrics.formerEvicted]) {
          each.at({ engine: engineLabel(url) }).add()
        }
      }
      if (event.kind === 'workers_reclaimed') metrics.reclaimed.at({}).add(event.workers.length)
      events.engine(url, event)
    },
    engineHealth(url, state, reason) {
      metrics.engineChanges.at({ engine: engineLabel(url), state }).add()
      events.engineHealth(url, state, reason)
    },
  }
}

function durability(
  events: WorkerEvents,
  metrics: WorkerMetrics,
  clock: Pick<Clock, 'monotonicMs'>,
): Some {
  return {
    checkpointed(jobId, checkpoint) {
      metrics.checkpoints.at({}).add()
      // A last checkpoint may come after its attempt has ended: that job is no longer counted.
      if (metrics.safeSince.has(jobId)) metrics.safeSince.set(jobId, clock.monotonicMs())
      events.checkpointed(jobId, checkpoint)
    },
    checkpointFailed(jobId, error) {
      metrics.checkpointsFailed.at({}).add()
      events.checkpointFailed(jobId, error)
    },
    resumed(jobId, fromMs) {
      metrics.resumed.at({}).add()
      events.resumed(jobId, fromMs)
    },
    audited(jobId, holes) {
      metrics.holesFound.at({}).add(holes.found)
      metrics.holesRepaired.at({}).add(holes.repaired)
      metrics.holesAudio.at({}).add(holes.foundMs / 1000)
      events.audited(jobId, holes)
    },
    rotated() {
      metrics.rotations.at({}).add()
      events.rotated()
    },
    reconnected() {
      metrics.reconnects.at({}).add()
      events.reconnected()
    },
    redone(audioMs) {
      metrics.redone.at({}).add(audioMs / 1000)
      events.redone(audioMs)
    },
  }
}
