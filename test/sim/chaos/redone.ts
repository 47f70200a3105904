import type { LegLease } from '../../../src/admission/lane/leg-lease.js'
import type { SimulatedClock } from '../../../src/kernel/simulated-clock.js'
import { STEP_MS } from '../../../src/model/pcm.js'
import type { Outage } from '../watched-store.js'
import type { ChaosJob } from './chaos-recording.js'
import type { SimulatedProcess } from './simulated-process.js'

/** A checkpoint is never older, and the way back from it to a pause never longer. */
const REDONE_MAX_MS = 60_000 + 30_000
/** Both legs hear what lies around a cut in the middle of talk. */
const OVERLAP_FRAMES = 50
/** Without the store nobody may write a checkpoint; with it back one is written within. */
const AFTER_OUTAGE_MS = 120_000

/** How much audio is sent again when a session, a worker or an engine is lost. */
export class Redone {
  mostMs = 0
  private readonly outages: readonly Outage[]
  private readonly jobs: readonly ChaosJob[]
  private readonly time: SimulatedClock
  private readonly onViolated: (sentence: string) => void
  private readonly lanes = new Map<string, readonly number[]>()
  /** Who has last begun with a job: what a zombie sends goes nowhere. */
  private readonly newest = new Map<string, SimulatedProcess>()
  private readonly furthest = new Map<string, number>()

  constructor(parts: {
    outages: readonly Outage[]
    jobs: readonly ChaosJob[]
    time: SimulatedClock
    onViolated(sentence: string): void
  }) {
    this.outages = parts.outages
    this.jobs = parts.jobs
    this.time = parts.time
    this.onViolated = (sentence) => parts.onViolated(sentence)
  }

  /** A process has begun with a job, of which these lanes are left. */
  admitted(process: SimulatedProcess, jobId: string, lanes: readonly number[]): void {
    this.newest.set(jobId, process)
    this.lanes.set(`${process.name} ${jobId}`, lanes)
  }

  /** A frame of the recording was sent. */
  sent(process: SimulatedProcess, lease: LegLease, frame: number): void {
    const slash = lease.chainId.lastIndexOf('/')
    const jobId = lease.chainId.slice(0, slash)
    if (this.newest.get(jobId) !== process) return
    const at = Number(lease.chainId.slice(slash + 1))
    const lane = this.lanes.get(`${process.name} ${jobId}`)?.[at] ?? at
    const key = `${jobId}/${lane}`
    const known = this.furthest.get(key)
    const isFirst = frame < lease.fromFrame + 6 // the session's first frames, told together
    if (known === undefined || frame >= known) {
      this.furthest.set(key, frame)
    } else if (isFirst && known - lease.fromFrame > OVERLAP_FRAMES) {
      this.lost(key, this.sentFrames(jobId, lease.fromFrame, known) * STEP_MS)
      this.furthest.set(key, frame)
    }
  }

  /** Frames of a stretch; a silence that is skipped is sent by nobody. */
  private sentFrames(jobId: string, fromFrame: number, endFrame: number): number {
    const cuts = this.jobs.find((job) => job.jobId === jobId)?.cuts ?? []
    return cuts.reduce((left, { kind, endFrame: from, nextFrame: until }) => {
      if (kind !== 'skip') return left
      return left - Math.max(0, Math.min(until, endFrame) - Math.max(from, fromFrame))
    }, endFrame - fromFrame)
  }

  private lost(key: string, redoneMs: number): void {
    const nowMs = this.time.monotonicMs()
    const outage = this.outages.find(({ fromMs, untilMs }) => {
      return nowMs >= fromMs && nowMs < untilMs + AFTER_OUTAGE_MS
    })
    const outMs = outage ? outage.untilMs - outage.fromMs + AFTER_OUTAGE_MS : 0
    if (outMs === 0) this.mostMs = Math.max(this.mostMs, redoneMs)
    if (redoneMs <= REDONE_MAX_MS + outMs) return
    this.onViolated(`${Math.round(redoneMs / 1_000)} s of ${key} are sent again`)
  }
}
