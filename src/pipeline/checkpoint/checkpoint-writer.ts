import type { Clock } from '../../kernel/clock.js'
import { Condition } from '../../kernel/condition.js'
import { isStop } from '../../kernel/errors.js'
import { STEP_MS } from '../../model/pcm.js'
import type { Attempt } from '../../queue/index.js'
import { writeJson } from '../../storage/documents/stored-json.js'
import type { ObjectStore } from '../../storage/index.js'
import { checkpointKey } from '../../storage/keys.js'
import type { LaneProgress } from '../legs/lane-progress.js'
import { asCheckpoint } from './checkpoint.js'

/**
 * Audio of a lane after which its text is written down: with the way back to a pause and the time
 * that a write takes, what a kill costs stays below a minute.
 */
const CHECKPOINT_FRAMES = 45_000 / STEP_MS
/** The same where no new pause came; doubled each time that the store has refused. */
const AGAIN_FRAMES = 5_000 / STEP_MS
/** Older ones of this attempt that are kept, should the newest one not be readable. */
const KEPT = 1

/** What a writer needs to know of the world. */
export interface CheckpointPorts {
  store: ObjectStore
  clock: Clock
  /** One was written. @param audioMs that it covers, of all lanes together */
  onWritten(checkpoint: { number: number; audioMs: number }): void
  /** A checkpoint could not be written; the next one is tried soon. */
  onFailed(error: unknown): void
}

/** The attempt whose text is stored, and where it began. */
export interface CheckpointJob {
  attempt: Attempt
  /** See `Transcription`. */
  attemptNumber: number
  fence: number
  lanes: readonly LaneProgress[]
  resumedFromMs: readonly number[]
}

/**
 * Writes down how far a job has come: after every leg, and after every 45 s of audio. Each one is
 * complete, has a key of its own, and is written only while the job is ours. A store that refuses
 * doesn't stop the replay: audio goes on, and more of it would have to be done again.
 *
 * States: *waiting* for news; *writing*, during which further news wait for the next round.
 */
export class CheckpointWriter {
  private readonly ports: CheckpointPorts
  private readonly job: CheckpointJob
  private readonly news = new Condition()
  /** Of each lane, the frame from which audio counts towards the next write. */
  private readonly countedFromFrames: number[]
  private legsWritten: number
  /** Where a resume would begin, of all lanes together. */
  private safeFrames: number
  private number = 0
  /** Times that it was not written, in a row. */
  private refusals = 0

  constructor(ports: CheckpointPorts, job: CheckpointJob) {
    this.ports = ports
    this.job = job
    this.countedFromFrames = this.answeredFrames
    this.legsWritten = this.legs
    this.safeFrames = this.allSafeFrames
  }

  /** Something came back; called after every delta. */
  noticed(): void {
    if (this.isDue) this.news.notifyAll()
  }

  /** Writes until the signal aborts. @throws StopRequested when the job isn't ours any more */
  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      while (!this.isDue) await this.news.wait(signal)
      try {
        await this.job.attempt.assertOwned()
        await this.write(signal)
      } catch (error) {
        if (isStop(error) || signal.aborted) throw error
        this.ports.onFailed(error)
      }
    }
  }

  /**
   * Writes what is safe, if it is more than the last checkpoint has. @throws what the store
   * throws
   */
  async write(signal: AbortSignal): Promise<void> {
    const { ports, job } = this
    this.legsWritten = this.legs
    const { answeredFrames, allSafeFrames: frames } = this
    if (frames <= this.safeFrames) {
      this.putOff(AGAIN_FRAMES)
      return
    }
    // To write is work for a machine that must not be late: not much more often in vain than well.
    this.putOff(AGAIN_FRAMES * 2 ** this.refusals)
    this.refusals += 1
    const lanes = job.lanes.map(({ safe }) => safe)
    const { jobId } = job.attempt
    // Never the same number again: whether a write that failed left something is not known.
    this.number += 1
    const { number } = this
    const document = asCheckpoint({
      ...{ jobId, number, lanes, attempt: job.attemptNumber, fence: job.fence },
      resumedFromMs: job.resumedFromMs,
      writtenAtMs: ports.clock.wallMs(),
    })
    // Where it exists already the answer to our own put was lost: no other worker has our fence.
    const key = checkpointKey(jobId, job.fence, number)
    await writeJson(ports.store, key, document, { signal, onlyIfAbsent: true })
    this.safeFrames = frames
    this.refusals = 0
    for (const [at, frame] of answeredFrames.entries()) this.countedFromFrames[at] = frame
    ports.onWritten({ number, audioMs: frames * STEP_MS })
    const old = checkpointKey(jobId, job.fence, number - KEPT - 1)
    // What is left lying is housekeeping.
    await ports.store.delete(old, { signal }).catch(() => {})
  }

  /** The amount of answered audio at which the next checkpoint is due, in ms. */
  private putOff(frames: number): void {
    for (const [at, frame] of this.answeredFrames.entries()) {
      this.countedFromFrames[at] = frame + Math.min(frames, CHECKPOINT_FRAMES) - CHECKPOINT_FRAMES
    }
  }

  private get answeredFrames(): number[] {
    return this.job.lanes.map(({ answeredFrame }) => answeredFrame)
  }

  private get legs(): number {
    return this.job.lanes.reduce((sum, { count }) => sum + count, 0)
  }

  private get isDue(): boolean {
    if (this.legs > this.legsWritten) return true
    return this.job.lanes.some(({ answeredFrame }, at) => {
      // A leg that was lost goes back.
      const from = Math.min(this.countedFromFrames[at] as number, answeredFrame)
      this.countedFromFrames[at] = from
      return answeredFrame - from >= CHECKPOINT_FRAMES
    })
  }

  private get allSafeFrames(): number {
    return this.job.lanes.reduce((sum, { safeFrame }) => sum + safeFrame, 0)
  }
}
