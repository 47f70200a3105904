import type { LaneChain } from '../../admission/lane/lane-chain.js'
import type { CutOption } from '../../admission/legs/cut-option.js'
import type { SessionDemand, SessionPool } from '../../admission/pool/session-pool.js'
import { unstopped } from '../../kernel/abort.js'
import { type Clock, sleepFor } from '../../kernel/clock.js'
import { CapacityError, isStop, NightscribeError } from '../../kernel/errors.js'
import { STEP_MS } from '../../model/pcm.js'
import type { CompletedLeg } from '../legs/completed-leg.js'
import type { Transcription } from '../transcription.js'
import type { AuditWindow } from './audit-windows.js'

/** A window of a lane that was admitted. */
export interface AdmittedWindow {
  /** 0-based; also the channel in `audio.flac`. */
  lane: number
  fromFrame: number
  cuts: readonly CutOption[]
  chain: LaneChain
}

/**
 * Replays a window into sessions of its own. @returns its legs, in order
 * @throws the error of the last try of a session; the signal's reason
 */
export type RerunWindow = (
  window: AdmittedWindow,
  options: { signal: AbortSignal },
) => Promise<CompletedLeg[]>

/** Ports that the admission of windows needs. */
export interface RerunPorts {
  sessions: Pick<SessionPool, 'admit' | 'leave'>
  clock: Clock
}

/** Result of replaying a window: its legs, or the code of the error that prevented it. */
export type WindowOutcome = { legs: CompletedLeg[] } | { reason: string }

/** How long all windows of a job together wait for room, in ms: its transcript waits for them. */
const WAIT_MAX_MS = 900_000
/** Longest pause, in ms, between two requests: an audit is not woken when room appears. */
const ASK_AGAIN_MAX_MS = 5_000
/** Highest priority: a window needs a session only briefly, and then its recording is done. */
const PRIORITY = 1_000
/** After 3 failed windows in a row the engines count as broken, and the other holes stay. */
const FAILURES_MAX = 3
/** Time limit for leaving the queue, in ms. */
const LEAVE_TIMEOUT_MS = 5_000

/**
 * Replays windows of one job, one at a time. Two states: *trying*; *given up*, after `FAILURES_MAX`
 * failures in a row, in which every further window fails at once with the code of the last one.
 */
export class WindowReruns {
  private readonly ports: RerunPorts
  private readonly work: Pick<Transcription, 'attempt' | 'job'>
  private readonly options: { rerun: RerunWindow; signal: AbortSignal }
  private waitLeftMs = WAIT_MAX_MS
  /** Error codes of the latest failures, since a window last succeeded. */
  private failures: string[] = []

  constructor(
    ports: RerunPorts,
    work: Pick<Transcription, 'attempt' | 'job'>,
    options: { rerun: RerunWindow; signal: AbortSignal },
  ) {
    this.ports = ports
    this.work = work
    this.options = options
  }

  /** @throws the signal's reason; an error without a class, which is a bug */
  async rerun(lane: number, window: AuditWindow): Promise<WindowOutcome> {
    const last = this.failures.at(-1)
    if (last !== undefined && this.failures.length >= FAILURES_MAX) return { reason: last }
    try {
      const legs = await this.rerunPatiently(lane, window)
      this.failures = []
      return { legs }
    } catch (error) {
      this.options.signal.throwIfAborted()
      if (!(error instanceof NightscribeError) || isStop(error)) throw error
      this.failures.push(error.code)
      return { reason: error.code }
    }
  }

  /** Tries again when no engine is available, as long as waiting time is left. */
  private async rerunPatiently(lane: number, window: AuditWindow): Promise<CompletedLeg[]> {
    for (;;) {
      try {
        return await this.rerunOnce(lane, window)
      } catch (error) {
        if (!(error instanceof CapacityError) || this.waitLeftMs <= 0) throw error
        await this.wait(error.retryAfterMs)
      }
    }
  }

  private async rerunOnce(lane: number, window: AuditWindow): Promise<CompletedLeg[]> {
    const { rerun, signal } = this.options
    const { fromFrame, cuts } = window
    const chain = await this.requestAdmission(window)
    try {
      return await rerun({ lane, fromFrame, cuts, chain }, { signal })
    } finally {
      // A stop doesn't interrupt the return of leases: other jobs wait for that room. Where it
      // fails, the leases stay until this worker's heartbeat expires.
      await chain.end(unstopped()).catch(() => {})
    }
  }

  /** Waits for a session, with nothing held. @throws CapacityError when that takes too long */
  private async requestAdmission(window: AuditWindow): Promise<LaneChain> {
    const { sessions } = this.ports
    const { signal } = this.options
    const demand = this.demandOf(window)
    let isAdmitted = false
    try {
      for (;;) {
        const admission = await sessions.admit(demand, { signal })
        if (admission.kind === 'admitted') {
          isAdmitted = true
          return admission.lanes[0] as LaneChain
        }
        if (this.waitLeftMs <= 0) throw noRoom(admission.retryAfterMs)
        await this.wait(admission.retryAfterMs)
      }
    } finally {
      if (!isAdmitted) await this.leave(demand.jobId)
    }
  }

  private async wait(retryAfterMs: number): Promise<void> {
    const waitMs = Math.min(ASK_AGAIN_MAX_MS, retryAfterMs, this.waitLeftMs)
    this.waitLeftMs -= waitMs
    await sleepFor(this.ports.clock, waitMs, { signal: this.options.signal })
  }

  private async leave(jobId: string): Promise<void> {
    const signal = AbortSignal.timeout(LEAVE_TIMEOUT_MS)
    // An error is ignored: the entry in the queue for admission expires.
    await this.ports.sessions.leave(jobId, { signal }).catch(() => {})
  }

  private demandOf({ fromFrame, cuts, frames }: AuditWindow): SessionDemand {
    const { attempt, job } = this.work
    const pace = job.options.pace === 'max' ? 0 : job.options.pace
    const remainingMs = (frames * STEP_MS) / Math.max(1, pace)
    return {
      jobId: `${attempt.jobId}/audit`,
      tenant: job.tenant,
      name: job.name,
      priority: PRIORITY,
      deadlineMs: null,
      live: false,
      lanes: [{ pace, fromFrame, cuts, remainingMs }],
    }
  }
}

function noRoom(retryAfterMs: number): CapacityError {
  return new CapacityError(
    'engine_overloaded',
    'No engine had room to replay the parts of the recording that have no text.',
    { retryAfterMs },
  )
}
