import { setMaxListeners } from 'node:events'
import type { EngineGauges } from '../../engines/engine-metrics.js'
import { warmUp } from '../../engines/warm-up.js'
import { withTimeout } from '../../kernel/abort.js'
import { NightscribeError, reasonOf, StopRequested, UpstreamError } from '../../kernel/errors.js'
import { STEP_MS } from '../../model/pcm.js'
import type { SessionEnded, StepEnding } from '../../planning/sweep/events.js'
import { StallWatch } from '../../planning/sweep/stall-watch.js'
import type { SessionMeter, SessionResult } from '../../realtime/run-session.js'
import { outcomeOf } from './session-outcome.js'
import { loopedAudio } from './speech.js'
import { STAGGER_MS, type StepPlan, type StepPorts, stepAudioMs } from './step-ports.js'

/**
 * Time in ms without a delta for any session, while one is due, after which the engine counts as
 * deadlocked.
 */
const STANDSTILL_MS = 5_000
const WATCH_INTERVAL_MS = 250
const GAUGE_INTERVAL_MS = 1_000
/** A warm-up that takes longer than this many ms has failed. */
const WARM_UP_MS_MAX = 120_000
/**
 * How long, in ms, one session may miss a due delta before it ends. Long on purpose: a session that
 * ends frees its KV blocks, and so would hide the deadlock that the sweep looks for.
 */
const SESSION_STALL_MS = 30_000

/**
 * Runs one step to its end: warm-up, all sessions at their start times, and the engine's gauges
 * once a second. Everything that happens becomes an event, failures of sessions included.
 *
 * @returns how the step ended; its sessions are all closed, also after `stopped`
 * @throws when the events can't be written
 */
export async function runStep(
  ports: StepPorts,
  plan: StepPlan,
  { signal }: { signal: AbortSignal },
): Promise<StepEnding> {
  const warm = await warmUpEngine(ports, signal)
  const ending = warm ? await new RunningStep(ports, plan).run(signal) : 'warm_up_failed'
  const told = signal.aborted ? 'stopped' : ending
  ports.record({ kind: 'step_ended', ending: told })
  return told
}

async function warmUpEngine(ports: StepPorts, signal: AbortSignal): Promise<boolean> {
  const startMs = ports.nowMs()
  const { model, deltaDelayMs } = ports.engine
  const late = () =>
    new UpstreamError(
      'session_stalled',
      `The engine did not finish an utterance of one second within ${WARM_UP_MS_MAX} ms.`,
    )
  try {
    await withTimeout(WARM_UP_MS_MAX, signal, late, async (inner) => {
      const cold = { engine: ports.address, model, deltaDelayMs }
      await warmUp(ports.runSession, cold, { signal: inner })
    })
    ports.record({ kind: 'warmed_up', durationMs: ports.nowMs() - startMs })
    return true
  } catch (error) {
    const code = error instanceof NightscribeError ? error.code : 'internal'
    ports.record({ kind: 'warm_up_failed', code, detail: reasonOf(error) })
    return false
  }
}

interface PlannedSession {
  index: number
  startMs: number
  /** Position in the looped speech at which the session starts, in frames of 80 ms. */
  startFrame: number
}

/**
 * A step in one of two modes: its sessions run, or they are being closed for the reason `ending`.
 */
class RunningStep {
  private readonly ports: StepPorts
  private readonly plan: StepPlan
  private readonly stop = new AbortController()
  private readonly watch = new StallWatch()
  private ending: StepEnding = 'complete'
  private engineWaits = false
  private failure: unknown = null

  constructor(ports: StepPorts, plan: StepPlan) {
    this.ports = ports
    this.plan = plan
    // Every session listens: without this Node would warn of a leak above 10 listeners.
    setMaxListeners(0, this.stop.signal)
  }

  async run(signal: AbortSignal): Promise<StepEnding> {
    const onAbort = () => this.end('stopped')
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    const besides = new AbortController()
    const watching = [this.watchStandstill(besides.signal), this.readGauges(besides.signal)].map(
      (loop) => loop.catch((error) => this.noteFailure(error, besides.signal)),
    )
    try {
      const startMs = this.ports.clock.monotonicMs()
      const { random, speech } = this.ports
      const sessions = Array.from({ length: this.plan.sessions }, (_, index) => ({
        index,
        startMs: startMs + random.uniform() * STAGGER_MS,
        startFrame: Math.floor((random.uniform() * speech.durationMs) / STEP_MS),
      }))
      await Promise.all(sessions.map((session) => this.runSession(session)))
    } finally {
      signal.removeEventListener('abort', onAbort)
      besides.abort(new StopRequested('canceled', 'The step is over.'))
      await Promise.all(watching)
    }
    if (this.failure !== null) throw this.failure
    return this.ending
  }

  private end(ending: StepEnding): void {
    if (this.stop.signal.aborted) return
    this.ending = ending
    this.stop.abort(new StopRequested('canceled', 'The step is being ended.'))
  }

  /** Ends the step by an error of ours. A loop that was stopped by the signal has none. */
  private noteFailure(error: unknown, signal: AbortSignal): void {
    if (signal.aborted && error === signal.reason) return
    this.failure ??= error
    this.end('stopped')
  }

  /** Runs one session and records how it ended. Never rejects. */
  private async runSession(session: PlannedSession): Promise<void> {
    const { ports, watch } = this
    const { signal } = this.stop
    const { index } = session
    try {
      await ports.clock.sleepUntil(session.startMs, { signal })
      ports.record({ kind: 'arrived', session: index })
      const result = await this.converse(session)
      this.recordEnd(index, { outcome: 'ok', code: null }, result)
    } catch (error) {
      this.recordEnd(index, signal.aborted ? this.closedByUs() : outcomeOf(error), null)
    } finally {
      watch.ended(index)
      ports.onEnded()
    }
  }

  private closedByUs() {
    return this.ending === 'deadlock'
      ? ({ outcome: 'timeout', code: 'deadlock' } as const)
      : ({ outcome: 'closed', code: 'stopped' } as const)
  }

  private async converse({ index, startFrame }: PlannedSession): Promise<SessionResult> {
    const { ports, plan } = this
    const { signal } = this.stop
    const audioMs = stepAudioMs(plan)
    await using _place = await ports.letIn({ index, audioMs, pace: plan.pace }, { signal })
    ports.record({ kind: 'opened', session: index })
    const onEnd = () => {
      ports.record({ kind: 'audio_ended', session: index })
      this.watch.audioEnded(index, ports.nowMs())
    }
    return await ports.runSession(
      {
        engine: ports.address,
        model: ports.engine.model,
        audio: loopedAudio(ports.speech, { startFrame, frames: audioMs / STEP_MS }, { onEnd }),
        pace: plan.pace,
        permission: null,
        isExcused: () => false,
        leg: 0,
        legStartMs: 0,
        limits: {
          ...ports.limits,
          stallTimeoutMs: SESSION_STALL_MS,
          blankSpeechMaxMs: null,
          deltaDelayMs: ports.engine.deltaDelayMs,
        },
        mayEndShort: true,
        lagMaxMs: Number.POSITIVE_INFINITY, // open loop: the sender never waits for the engine
        speechAt: () => false,
        meter: this.meter(index),
        onGroup: () => {},
        onProgress: () => {},
      },
      { signal },
    )
  }

  private meter(session: number): SessionMeter {
    const { ports, watch } = this
    return {
      connected: () => ports.record({ kind: 'created', session }),
      frameSent: (_, slipMs) => {
        ports.record({ kind: 'frame', session, slipMs: Math.max(0, slipMs) })
        watch.frameSent(session, ports.nowMs())
      },
      deltaReceived: (_, _lagMs, hasText) => {
        ports.record({ kind: 'delta', session, hasText })
        watch.deltaReceived(session, ports.nowMs())
      },
      held: () => {},
      finished: () => ports.record({ kind: 'done', session }),
    }
  }

  private recordEnd(
    session: number,
    { outcome, code }: Pick<SessionEnded, 'outcome' | 'code'>,
    result: SessionResult | null,
  ): void {
    const textChars = result?.groups.reduce((sum, { text }) => sum + text.length, 0) ?? null
    const verified = result?.verified ?? null
    this.ports.record({ kind: 'ended', session, outcome, code, verified, textChars })
  }

  private async watchStandstill(signal: AbortSignal): Promise<void> {
    const { clock, engine } = this.ports
    const boundMs = STANDSTILL_MS + engine.deltaDelayMs
    for (;;) {
      const dueMs = clock.monotonicMs() + WATCH_INTERVAL_MS
      await clock.sleepUntil(dueMs, { signal })
      this.ports.onTick()
      const failure = this.ports.failure()
      if (failure) throw failure
      // Skipped while a session waits inside the engine and none has been answered: all seats
      // (max_num_seqs) may be taken by others, so the engine isn't deadlocked.
      if (this.engineWaits && !this.watch.answered) continue
      // Judged by when this look was due: after a pause of this process unread deltas would
      // otherwise be taken for a deadlock.
      const heardUntilMs = this.ports.nowMs() - (clock.monotonicMs() - dueMs)
      if (this.watch.stalledMs(heardUntilMs) > boundMs) this.end('deadlock')
    }
  }

  private async readGauges(signal: AbortSignal): Promise<void> {
    const { clock } = this.ports
    const startMs = clock.monotonicMs()
    for (let index = 1; ; index += 1) {
      await clock.sleepUntil(startMs + index * GAUGE_INTERVAL_MS, { signal })
      const requestedMs = this.ports.nowMs()
      const gauges = await this.gaugesOrNothing(signal)
      if (gauges === null) continue
      this.engineWaits = (gauges.waitingCapacity ?? 0) > 0
      this.ports.record({
        kind: 'gauges',
        requestedMs,
        kvUsage: gauges.kvUsage,
        kvBlocks: gauges.kvBlocksHeld,
        waitingCapacity: gauges.waitingCapacity,
        deferred: gauges.deferred,
        preemptions: gauges.preemptions,
        websocketConnections: gauges.websocketConnections,
      })
    }
  }

  /** Null for an engine too busy to answer: the step goes on with a gap in the series of gauges. */
  private async gaugesOrNothing(signal: AbortSignal): Promise<EngineGauges | null> {
    try {
      return await this.ports.readGauges({ signal })
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof NightscribeError) return null
      throw error
    }
  }
}
