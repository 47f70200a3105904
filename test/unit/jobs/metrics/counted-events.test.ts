import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { workerEvents } from '../../../../jobs/events.js'
import { countedEvents } from '../../../../jobs/metrics/counted-events.js'
import { measuredState } from '../../../../jobs/metrics/measured-state.js'
import { workerMetrics } from '../../../../jobs/metrics/worker-metrics.js'
import { parsePrometheusText } from '../../../../src/engines/prometheus-text.js'
import { systemClock } from '../../../../src/kernel/clock.js'

const { signal } = new AbortController()
const error = { code: 'decode_failed', detail: '', retryable: false, stage: 'analyse' } as const

/** Events of a worker whose clock is set by hand, and the figures that come of them. */
function counted() {
  const metrics = workerMetrics()
  const at = { ms: 0 }
  const clock = { ...systemClock(), monotonicMs: () => at.ms, wallMs: () => 1_000_000 }
  const events = countedEvents(workerEvents(pino({ level: 'silent' })), metrics, clock)
  const update = measuredState(metrics, {
    readings: () => [
      {
        ...{ url: 'ws://user:pass@gpu:8000/v1/realtime', isUp: true, lanes: 3, lanesMax: 8 },
        kvBlocks: { capacity: 90, predicted: 40, measured: null, error: null, correction: 2 },
        hungMs: 1_500,
      },
    ],
    line: () => [],
    queue: { depth: () => Promise.reject(new Error('away')) },
    clock,
  })
  const figures = async () => {
    await update({ signal })
    const samples = parsePrometheusText(metrics.registry.text())
    return (name: string, labels: Record<string, string> = {}) =>
      samples.find((sample) => {
        const own = Object.entries(labels).every(([key, value]) => sample.labels[key] === value)
        return own && sample.name === `nightscribe_${name}`
      })?.value ?? null
  }
  return { at, events, figures }
}

describe('what happens in a worker', () => {
  it('is counted as jobs and tries, by how they ended', async () => {
    const { events, figures } = counted()
    for (const jobId of ['a', 'b', 'c']) events.attemptStarted('analyse', jobId, 1)
    events.attemptDone('analyse', 'a')
    events.attemptEnded('analyse', 'b', 'failed', error)
    events.attemptStarted('transcribe', 'a', 1)
    events.attemptDone('transcribe', 'a')
    const of = await figures()
    expect(of('attempts_running', { stage: 'analyse' })).toBe(1)
    expect(of('jobs_ended_total', { outcome: 'completed', code: 'none' })).toBe(1)
    expect(of('jobs_ended_total', { outcome: 'failed', code: 'decode_failed' })).toBe(1)
    expect(of('attempts_ended_total', { stage: 'analyse', outcome: 'done' })).toBe(1)
  })

  it('tells how long text has not been safe, of running transcriptions only', async () => {
    const { at, events, figures } = counted()
    expect((await figures())('checkpoint_age_seconds')).toBe(0)
    for (const jobId of ['a', 'b']) events.attemptStarted('transcribe', jobId, 1)
    at.ms = 60_000
    events.checkpointed('a', { number: 1, audioMs: 60_000 })
    at.ms = 90_000
    expect((await figures())('checkpoint_age_seconds')).toBe(90)
    events.attemptEnded('transcribe', 'b', 'handed-back', null)
    expect((await figures())('checkpoint_age_seconds')).toBe(30)
    events.attemptDone('transcribe', 'a')
    events.checkpointed('a', { number: 2, audioMs: 90_000 })
    expect((await figures())('checkpoint_age_seconds')).toBe(0)
  })

  it('is counted at engines, audits and leftovers, without a password in any label', async () => {
    const { events, figures } = counted()
    events.engine('ws://u:secret@gpu:8000/v1/realtime', { kind: 'session_evicted', chainId: 'a/0' })
    events.engine('ws://gpu:8000/v1/realtime', { kind: 'workers_reclaimed', workers: ['x', 'y'] })
    events.audited('a', { found: 3, repaired: 2, foundMs: 4_500 })
    events.redone(1_200)
    events.redisError(new Error('gone'))
    const none = { leftovers: 0, items: 0, bytes: 0 }
    const removed = new Map([['audio', { leftovers: 1, items: 2, bytes: 30 }]] as const)
    const sums = { found: none, removed: none, failed: { ...none, items: 1 }, left: none }
    events.cleaned({ sums, removed, unseen: ['queue_unavailable'] })
    const of = await figures()
    expect(of('sessions_evicted_total', { engine: 'gpu:8000' })).toBe(1)
    // Its former name, for dashboards that still have it.
    expect(of('deadlocks_freed_total', { engine: 'gpu:8000' })).toBe(1)
    expect(of('workers_reclaimed_total')).toBe(2)
    expect([of('holes_found_total'), of('holes_repaired_total')]).toEqual([3, 2])
    expect(of('holes_found_seconds_total')).toBe(4.5)
    expect(of('audio_redone_seconds_total')).toBe(1.2)
    expect(of('redis_errors_total', { part: 'connection' })).toBe(1)
    expect(of('leftovers_removed_total', { kind: 'audio' })).toBe(2)
    expect(of('leftovers_failed_total')).toBe(2)
    expect(of('leftovers_looked_at_seconds')).toBe(1_000)
  })

  it('has no figure for what isn’t known, and says what it could not read', async () => {
    const of = await counted().figures()
    expect(of('kv_blocks_predicted', { engine: 'gpu:8000' })).toBe(40)
    expect(of('kv_blocks_measured')).toBeNull()
    expect(of('engine_silent_seconds')).toBe(1.5)
    expect(of('queue_jobs')).toBeNull()
    expect(of('scrape_failures_total')).toBe(1)
  })
})
