import type { Clock } from '../../src/kernel/clock.js'
import { isStop } from '../../src/kernel/errors.js'
import { STEP_MS } from '../../src/model/pcm.js'
import type { SendPermission } from '../../src/realtime/index.js'
import type { SessionMeter, SessionRunner } from '../../src/realtime/run-session.js'
import { codeOf, engineLabel, NO_CODE } from './counted-events.js'
import type { WorkerMetrics } from './worker-metrics.js'

/** Wraps a session runner: counts sessions, frames, deltas and waits, and changes nothing else. */
export function countedSessions(
  run: SessionRunner,
  metrics: WorkerMetrics,
  clock: Pick<Clock, 'monotonicMs'>,
): SessionRunner {
  return async (request, options) => {
    const engine = engineLabel(request.engine.url)
    const running = metrics.sessionsRunning.at({ engine })
    const ended = (outcome: string, code: string) =>
      metrics.sessionsEnded.at({ engine, outcome, code }).add()
    metrics.sessionsOpened.at({ engine }).add()
    running.add()
    try {
      const permission = timedPermission(request.permission, { engine, metrics, clock })
      const meter = countedMeter(request.meter, {
        engine,
        metrics,
        isPaced: request.pace !== 'max',
      })
      const result = await run({ ...request, permission, meter }, options)
      ended('done', NO_CODE)
      metrics.legs.at({}).add()
      return result
    } catch (error) {
      if (options.signal.aborted || isStop(error)) ended('stopped', NO_CODE)
      else ended('failed', codeOf(error))
      throw error
    } finally {
      running.add(-1)
    }
  }
}

function countedMeter(
  meter: SessionMeter,
  { engine, metrics, isPaced }: { engine: string; metrics: WorkerMetrics; isPaced: boolean },
): SessionMeter {
  const frames = metrics.framesSent.at({ engine })
  const audio = metrics.audioSent.at({ engine })
  const deltas = metrics.deltas.at({ engine })
  const [slip, lag] = [metrics.slip.at({}), metrics.lag.at({ engine })]
  let lastFrameMs: number | null = null
  return {
    connected: (durationMs) => meter.connected(durationMs),
    frameSent(nowMs, slipMs) {
      lastFrameMs = nowMs
      frames.add()
      audio.add(STEP_MS / 1000)
      // At pace `max` frames have no due time, and the sender is ahead of the engine on purpose.
      if (isPaced) slip.observe(Math.max(0, slipMs) / 1000)
      meter.frameSent(nowMs, slipMs)
    },
    deltaReceived(nowMs, lagMs, hasText) {
      deltas.add()
      if (isPaced) lag.observe(Math.max(0, lagMs) / 1000)
      meter.deltaReceived(nowMs, lagMs, hasText)
    },
    held(durationMs) {
      metrics.held.at({ engine }).add(durationMs / 1000)
      meter.held(durationMs)
    },
    finished(nowMs) {
      if (lastFrameMs !== null) {
        metrics.finalization.at({ engine }).observe((nowMs - lastFrameMs) / 1000)
      }
      meter.finished(nowMs)
    },
  }
}

function timedPermission(
  permission: SendPermission | null,
  {
    engine,
    metrics,
    clock,
  }: { engine: string; metrics: WorkerMetrics; clock: Pick<Clock, 'monotonicMs'> },
): SendPermission | null {
  if (permission === null) return null
  return {
    get startMs() {
      return permission.startMs
    },
    permit(index, nowMs, options) {
      const asked = permission.permit(index, nowMs, options)
      return asked?.finally(() => {
        const waitedMs = Math.max(0, clock.monotonicMs() - nowMs)
        metrics.blockWaits.at({ engine }).observe(waitedMs / 1000)
      })
    },
  }
}
