import type { Waiter } from '../../src/admission/index.js'
import { productVersion } from '../../src/app/product-version.js'
import type { EngineReading } from '../../src/engines/engine-registry.js'
import { withTimeout } from '../../src/kernel/abort.js'
import type { Clock } from '../../src/kernel/clock.js'
import { UpstreamError } from '../../src/kernel/errors.js'
import type { JobQueue } from '../../src/queue/index.js'
import { engineLabel } from './counted-events.js'
import type { WorkerMetrics } from './worker-metrics.js'

/** Time limit, in ms, for Redis while the metrics page is made. */
const QUEUE_TIMEOUT_MS = 2_000

/** The parts of a worker that are read when the metrics page is requested. */
export interface MeasuredParts {
  readings(): readonly EngineReading[]
  /** The queue for admission, as this worker last read it. */
  line(): readonly Waiter[]
  queue: Pick<JobQueue, 'depth'>
  clock: Clock
}

/** Sets the metrics that never change. @returns a function that updates the others */
export function measuredState(
  metrics: WorkerMetrics,
  parts: MeasuredParts,
): (options: { signal: AbortSignal }) => Promise<void> {
  metrics.build.at({ version: productVersion(), node: process.version }).set(1)
  metrics.startedAt.at({}).set(parts.clock.wallMs() / 1000)
  return async (options) => {
    metrics.memory.at({}).set(process.memoryUsage.rss())
    measureAge(metrics, parts.clock.monotonicMs())
    measureEngines(metrics, parts.readings())
    measureWaiting(metrics, parts.line())
    await measureQueue(metrics, parts.queue, options)
  }
}

function measureAge({ checkpointAge, safeSince }: WorkerMetrics, nowMs: number): void {
  const oldestMs = Math.min(nowMs, ...safeSince.values())
  checkpointAge.at({}).set((nowMs - oldestMs) / 1000)
}

function measureEngines(metrics: WorkerMetrics, readings: readonly EngineReading[]): void {
  const { kvCapacity, kvPredicted, kvMeasured, kvError, kvCorrection } = metrics
  for (const family of [kvPredicted, kvMeasured, kvError]) family.clear()
  for (const { url, isUp, lanes, lanesMax, kvBlocks, hungMs } of readings) {
    const engine = engineLabel(url)
    metrics.engineUp.at({ engine }).set(isUp ? 1 : 0)
    metrics.lanes.at({ engine }).set(lanes)
    metrics.lanesMax.at({ engine }).set(lanesMax)
    metrics.hung.at({ engine }).set(hungMs / 1000)
    kvCapacity.at({ engine }).set(kvBlocks.capacity)
    kvCorrection.at({ engine }).set(kvBlocks.correction)
    // An unknown figure has no series: 0 would be read as a measured value.
    if (kvBlocks.predicted !== null) kvPredicted.at({ engine }).set(kvBlocks.predicted)
    if (kvBlocks.measured !== null) kvMeasured.at({ engine }).set(kvBlocks.measured)
    if (kvBlocks.error !== null) kvError.at({ engine }).set(kvBlocks.error)
  }
}

function measureWaiting({ waitingJobs }: WorkerMetrics, waiters: readonly Waiter[]): void {
  waitingJobs.clear()
  waitingJobs.at({ reason: 'turn' }).set(0)
  for (const { reason = 'turn' } of waiters) waitingJobs.at({ reason }).add()
}

async function measureQueue(
  { queueJobs, unread }: WorkerMetrics,
  queue: MeasuredParts['queue'],
  { signal }: { signal: AbortSignal },
): Promise<void> {
  const late = () => new UpstreamError('queue_unavailable', 'Redis is late.')
  queueJobs.clear()
  try {
    const depth = await withTimeout(QUEUE_TIMEOUT_MS, signal, late, () => queue.depth({ signal }))
    for (const [stage, states] of Object.entries(depth)) {
      for (const [state, jobs] of Object.entries(states)) queueJobs.at({ stage, state }).set(jobs)
    }
  } catch {
    signal.throwIfAborted()
    unread.at({}).add() // the page lacks `queue_jobs`, and this counter shows it
  }
}
