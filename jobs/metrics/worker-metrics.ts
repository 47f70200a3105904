import {
  type MetricFamily,
  MetricRegistry,
  type MetricSeries,
} from '../../src/latency/metric-registry.js'

const SLIP_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
const LAG_SECONDS = [0.1, 0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 10, 20]
const WAIT_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120]

/** All metrics of a worker; `jobs/README.md` explains each. */
export type WorkerMetrics = ReturnType<typeof workerMetrics>

/** Declares all metrics, in the order of the metrics page. */
export function workerMetrics() {
  const registry = new MetricRegistry()
  return {
    registry,
    /** By job id of running transcriptions: when text was last made safe, ms, monotonic clock. */
    safeSince: new Map<string, number>(),
    ...jobMetrics(registry),
    ...sessionMetrics(registry),
    ...engineMetrics(registry),
    ...durabilityMetrics(registry),
    ...houseMetrics(registry),
  }
}

/** Declares a metric by its name without `nightscribe_`, its help and its labels. */
type Declare = (name: string, help: string, ...labels: string[]) => MetricFamily<MetricSeries>

function declaring(registry: MetricRegistry): { counter: Declare; gauge: Declare } {
  const options = (name: string, help: string, labels: string[]) => {
    return { name: `nightscribe_${name}`, help, labels }
  }
  return {
    counter: (name, help, ...labels) => registry.counter(options(name, help, labels)),
    gauge: (name, help, ...labels) => registry.gauge(options(name, help, labels)),
  }
}

function jobMetrics(registry: MetricRegistry) {
  const { counter, gauge } = declaring(registry)
  return {
    jobsEnded: counter(
      'jobs_ended_total',
      'Jobs that reached their end in this worker, by outcome and error code.',
      ...['outcome', 'code'],
    ),
    attemptsEnded: counter(
      'attempts_ended_total',
      'Attempts at a stage that ended, by outcome and error code.',
      ...['stage', 'outcome', 'code'],
    ),
    attemptsRunning: gauge('attempts_running', 'Attempts running in this worker.', 'stage'),
    bugs: counter('bugs_total', 'Errors by a bug in Nightscribe: the worker drains after one.'),
    queueJobs: gauge('queue_jobs', 'Jobs in the queue, of all workers.', 'stage', 'state'),
    waitingJobs: gauge('waiting_jobs', 'Jobs waiting for room, of all workers.', 'reason'),
    reconciled: counter('jobs_reconciled_total', 'Jobs lost by Redis and found again in storage.'),
  }
}

function sessionMetrics(registry: MetricRegistry) {
  const { counter, gauge } = declaring(registry)
  return {
    sessionsRunning: gauge('sessions_running', 'Open sessions of this worker.', 'engine'),
    sessionsOpened: counter(
      'sessions_opened_total',
      'Sessions that this worker began to open.',
      'engine',
    ),
    sessionsEnded: counter(
      'sessions_ended_total',
      'Sessions that ended: done, failed (with the code) or stopped.',
      ...['engine', 'outcome', 'code'],
    ),
    legs: counter('legs_total', 'Legs that are complete.'),
    rotations: counter('rotations_total', 'Legs that were followed by the next of their lane.'),
    reconnects: counter('reconnects_total', 'Failed sessions whose audio was replayed.'),
    redone: counter('audio_redone_seconds_total', 'Audio that had to be sent a second time.'),
    audioSent: counter('audio_sent_seconds_total', 'Audio that was sent.', 'engine'),
    framesSent: counter('frames_sent_total', 'Frames of 80 ms that were sent.', 'engine'),
    deltas: counter('deltas_total', 'Steps that engines answered.', 'engine'),
    held: counter('held_seconds_total', 'Time senders waited for a lagging engine.', 'engine'),
    slip: registry.histogram({
      name: 'nightscribe_frame_slip_seconds',
      help: 'How long after it was due each frame was sent.',
      bounds: SLIP_SECONDS,
    }),
    lag: registry.histogram({
      name: 'nightscribe_delta_lag_seconds',
      help: 'How far each delta was behind the audio sent.',
      labels: ['engine'],
      bounds: LAG_SECONDS,
    }),
    finalization: registry.histogram({
      name: 'nightscribe_session_finalization_seconds',
      help: 'From the last frame of a session to its end.',
      labels: ['engine'],
      bounds: WAIT_SECONDS,
    }),
    blockWaits: registry.histogram({
      name: 'nightscribe_ledger_wait_seconds',
      help: 'How long frames waited for the ledger to grant their block.',
      labels: ['engine'],
      bounds: WAIT_SECONDS,
    }),
  }
}

function engineMetrics(registry: MetricRegistry) {
  const { counter, gauge } = declaring(registry)
  const perEngine = (name: string, help: string) => gauge(name, help, 'engine')
  return {
    engineUp: perEngine('engine_up', '1 while legs are placed on the engine.'),
    engineChanges: counter('engine_health_changes_total', 'Changes of health.', 'engine', 'state'),
    lanes: perEngine('engine_lanes', 'Lanes in the ledger, of all workers.'),
    lanesMax: perEngine('engine_lanes_max', 'Lanes that the limits allow, knee included.'),
    kvCapacity: perEngine('kv_blocks_capacity', 'KV blocks that sessions may use.'),
    kvPredicted: perEngine('kv_blocks_predicted', 'KV blocks that our sessions should hold.'),
    kvMeasured: perEngine('kv_blocks_measured', 'KV blocks in use by the engine’s gauge.'),
    kvError: perEngine('kv_blocks_error', 'Measured less predicted KV blocks.'),
    kvCorrection: perEngine(
      'kv_blocks_correction',
      'KV blocks kept back for the error of the prediction.',
    ),
    hung: perEngine('engine_silent_seconds', 'Silence of an engine that owes deltas.'),
    evicted: counter('sessions_evicted_total', 'Sessions evicted to end a deadlock.', 'engine'),
    /** Removed in the release after this one. */
    formerEvicted: counter(
      'deadlocks_freed_total',
      'The former name of sessions_evicted_total.',
      'engine',
    ),
    reclaimed: counter('workers_reclaimed_total', 'Dead workers whose leases were reclaimed.'),
  }
}

function durabilityMetrics(registry: MetricRegistry) {
  const { counter, gauge } = declaring(registry)
  return {
    checkpoints: counter('checkpoints_written_total', 'Checkpoints written to storage.'),
    checkpointBytes: counter('checkpoint_bytes_total', 'Bytes of checkpoints written.'),
    checkpointsFailed: counter(
      'checkpoints_failed_total',
      'Checkpoints that could not be written.',
    ),
    checkpointAge: gauge(
      'checkpoint_age_seconds',
      'Longest time since a running transcription began or wrote a checkpoint.',
    ),
    resumed: counter('attempts_resumed_total', 'Attempts that went on from a checkpoint.'),
    holesFound: counter('holes_found_total', 'Holes found: speech without text.'),
    holesRepaired: counter('holes_repaired_total', 'Holes that a rerun gave text.'),
    holesAudio: counter('holes_found_seconds_total', 'Speech in the holes found.'),
    storageRequests: counter(
      'storage_requests_total',
      'Requests to storage; code is none where they succeeded.',
      ...['action', 'code'],
    ),
    storageRetries: counter('storage_retries_total', 'Requests that the S3 client sent again.'),
    redisErrors: counter(
      'redis_errors_total',
      'Errors of the Redis connection or the queue.',
      'part',
    ),
  }
}

function houseMetrics(registry: MetricRegistry) {
  const { counter, gauge } = declaring(registry)
  return {
    cleaned: counter('leftovers_removed_total', 'Objects, files and entries removed.', 'kind'),
    cleanedBytes: counter('leftovers_removed_bytes_total', 'Bytes removed.', 'kind'),
    cleanFailed: counter('leftovers_failed_total', 'Leftovers that could not be removed.'),
    cleanedAt: gauge(
      'leftovers_looked_at_seconds',
      'When this worker last looked for leftovers (Unix time).',
    ),
    unread: counter('scrape_failures_total', 'Metric pages without the figures from Redis.'),
    build: gauge(
      'build_info',
      'Always 1; the labels name release and Node version.',
      'version',
      'node',
    ),
    memory: gauge('resident_memory_bytes', 'Resident memory of the process.'),
    startedAt: gauge('start_time_seconds', 'When the worker started (Unix time).'),
  }
}
