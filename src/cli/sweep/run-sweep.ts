import { rm } from 'node:fs/promises'
import { cpus } from 'node:os'
import { type Clock, isoTime, sleepFor } from '../../kernel/clock.js'
import { isStop, NightscribeError } from '../../kernel/errors.js'
import { seededRandom } from '../../kernel/seeded-random.js'
import { EVENTS_SCHEMA, type StepEnding } from '../../planning/sweep/events.js'
import {
  type StepReport,
  type SweepFacts,
  type SweepReport,
  stepReport,
  sweepReport,
} from '../../planning/sweep/report.js'
import { stepFigures } from '../../planning/sweep/step-figures.js'
import { StepFold } from '../../planning/sweep/step-fold.js'
import { yapView } from '../../planning/sweep/yap-view.js'
import type { SessionRunner } from '../../realtime/run-session.js'
import type { SessionLimits } from '../../realtime/session-machine.js'
import { type Ask, overfillRisk, requireConsent } from './consent.js'
import { EventLog, readEvents } from './event-log.js'
import type { SweepOptions } from './options.js'
import type { SweepView } from './report/sweep-view.js'
import { runStep } from './run-step.js'
import type { Speech } from './speech.js'
import { type LetIn, STAGGER_MS, type StepPorts, stepAudioMs } from './step-ports.js'
import type { FoundEngine } from './swept-engine.js'

/**
 * How long, in ms, to wait until the engine no longer counts the closed sockets of the step before.
 */
const EMPTY_MS_MAX = 5_000
const EMPTY_INTERVAL_MS = 250

/** The engine of a sweep, its speech, and how its sessions are run and admitted. */
export interface SweepPorts {
  clock: Clock
  found: FoundEngine
  speech: Speech
  runSession: SessionRunner
  limits: Pick<SessionLimits, 'createdTimeoutMs' | 'doneTimeoutMs'>
  letIn: LetIn
  /** Name of the admission (`letIn`) in the report. */
  limiter: string
  ask: Ask
  view: SweepView
  /** File for the events; it must not exist yet. */
  eventsPath: string
  sweepId: string
  /** Version of Nightscribe. */
  nightscribe: string
}

/** The result of a sweep. */
export interface SweepRun {
  report: SweepReport
  /** The error that ended it early, or null. The report contains the steps that were finished. */
  failure: unknown
}

/**
 * Runs the steps in ascending order up to the first that fails, or to the last.
 * @throws an error before the first finished step; later ones are in `failure`
 */
export async function runSweep(
  ports: SweepPorts,
  options: SweepOptions,
  { signal }: { signal: AbortSignal },
): Promise<SweepRun> {
  await using log = await EventLog.create(ports.eventsPath)
  const sweep = new RunningSweep(ports, options, log)
  const failure = await sweep.run(signal)
  if (failure !== null && sweep.steps.length === 0) {
    await rm(ports.eventsPath, { force: true }) // no step was finished
    throw failure
  }
  return { report: sweep.report(isStop(failure)), failure }
}

class RunningSweep {
  readonly steps: StepReport[] = []
  private readonly ports: SweepPorts
  private readonly options: SweepOptions
  private readonly log: EventLog
  private readonly startedAt: string
  private readonly startMs: number
  private readonly step: StepPorts
  /** True when a person has agreed to overfill the engine, or `--yes` was given. */
  private agreed: boolean
  /** Other clients' connections to the engine when the last step began; null where not known. */
  private others: number | null = null

  constructor(ports: SweepPorts, options: SweepOptions, log: EventLog) {
    const { clock, found } = ports
    this.ports = ports
    this.options = options
    this.log = log
    this.agreed = options.yes
    this.startMs = clock.monotonicMs()
    this.startedAt = isoTime(clock.wallMs())
    const nowMs = () => clock.monotonicMs() - this.startMs
    this.step = {
      ...{ clock, nowMs, address: found.address, engine: found.engine },
      ...{ limits: ports.limits, speech: ports.speech, letIn: ports.letIn },
      random: seededRandom(options.seed),
      runSession: ports.runSession,
      readGauges: (inner) => found.readGauges(inner),
      record: (event) => log.write({ ...event, atMs: nowMs() }),
      failure: () => log.failure,
      onEnded: () => ports.view.sessionEnded(),
      onTick: () => {
        ports.view.tick()
        log.push()
      },
    }
  }

  /** @returns the error that ended it before its last step; null when none did */
  async run(signal: AbortSignal): Promise<unknown> {
    const { sweepId } = this.ports
    const { startedAt } = this
    this.log.write({ kind: 'sweep_started', schema: EVENTS_SCHEMA, sweepId, startedAt })
    try {
      for (const sessions of this.options.sessions) {
        const verdict = await this.runStep(sessions, signal)
        signal.throwIfAborted()
        if (verdict === 'fails' && !this.options.all) return null
      }
      return null
    } catch (error) {
      return error
    }
  }

  report(stopped: boolean): SweepReport {
    const { clock, sweepId, nightscribe } = this.ports
    const endedAt = isoTime(clock.wallMs())
    const machine = `${cpus()[0]?.model.trim() ?? 'unknown CPU'}, ${cpus().length} cores, Node ${process.version}`
    const { startedAt } = this
    const facts = { sweepId, startedAt, endedAt, stopped, nightscribe, machine }
    return sweepReport({ ...facts, ...this.subject(), notes: this.ports.found.notes }, this.steps)
  }

  private subject(): Pick<SweepFacts, 'engine' | 'load'> {
    const { sessions, seconds, pace, slaMs, seed } = this.options
    const { name, durationMs, speechShare } = this.ports.speech
    const { limiter } = this.ports
    return {
      engine: this.ports.found.engine,
      load: {
        ...{ sessions, seconds, pace, slaMs, seed, limiter },
        staggerMs: STAGGER_MS,
        audio: { name, durationMs, speechShare },
      },
    }
  }

  private async runStep(sessions: number, signal: AbortSignal): Promise<StepReport['verdict']> {
    const { seconds, pace } = this.options
    const { engine } = this.ports.found
    const othersConnected = await this.connectionsOfOthers(signal)
    this.others = othersConnected
    const risk = overfillRisk(engine, { sessions, seconds, pace, othersConnected })
    if (risk !== null && !this.agreed) {
      await requireConsent(risk, { ask: this.ports.ask, signal })
      this.agreed = true
    }
    const startByte = await this.log.flush()
    this.step.record({
      kind: 'step_started',
      ...{ sessions, pace, othersConnected },
      audioMs: stepAudioMs({ seconds, pace }),
      deltaDelayMs: engine.deltaDelayMs,
      kvBlocksMax: engine.kvBlocksMax,
      kvModel: engine.kvModel,
    })
    this.ports.view.stepStarted({ sessions, durationMs: seconds * 1000 + 2 * STAGGER_MS })
    let ending: StepEnding = 'stopped'
    try {
      ending = await runStep(this.step, { sessions, seconds, pace }, { signal })
    } finally {
      this.ports.view.stepEnded(ending)
    }
    const report = await this.readStep(startByte)
    this.steps.push(report)
    this.ports.view.row(report)
    return report.verdict
  }

  /**
   * Computes the step's report from the events file alone: a figure that the file can't prove isn't
   * in the report.
   */
  private async readStep(startByte: number): Promise<StepReport> {
    await this.log.flush()
    let fold: StepFold | null = null
    for await (const event of readEvents(this.ports.eventsPath, startByte)) {
      if (event.kind === 'step_started') fold = new StepFold(event)
      else fold?.take(event)
    }
    if (fold === null) throw new Error('the file of events lost the beginning of a step')
    const sums = fold.sums()
    const { host } = new URL(this.ports.found.engine.url)
    const head = { server: host, file: this.ports.speech.name }
    return stepReport(stepFigures(sums), yapView(sums, head), this.subject())
  }

  /**
   * Other clients' connections to the engine, counted once our own from the step before are gone;
   * null where the engine doesn't report them.
   */
  private async connectionsOfOthers(signal: AbortSignal): Promise<number | null> {
    const { clock, found } = this.ports
    const deadlineMs = clock.monotonicMs() + EMPTY_MS_MAX
    const expected = this.others ?? 0
    for (;;) {
      const connections = await connectionsOf(found, signal)
      if (connections === null) return null
      const waits = this.steps.length > 0 && connections > expected
      if (!waits || clock.monotonicMs() >= deadlineMs) return connections
      await sleepFor(clock, EMPTY_INTERVAL_MS, { signal })
    }
  }
}

async function connectionsOf(found: FoundEngine, signal: AbortSignal): Promise<number | null> {
  try {
    return (await found.readGauges({ signal })).websocketConnections
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof NightscribeError) return null // the step will report what is wrong
    throw error
  }
}
