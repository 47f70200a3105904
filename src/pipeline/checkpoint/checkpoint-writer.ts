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
 * Audio of a lane, in frames (45 s), after which a checkpoint is due. Together with the way back to
 * a pause and the time of a write, a killed worker then costs less than a minute of audio.
 */
const CHECKPOINT_FRAMES = 45_000 / STEP_MS
/** Audio, in frames (5 s), until the next try where no new pause came or the store refused. */
const AGAIN_FRAMES = 5_000 / STEP_MS
/** Older checkpoints of this attempt that are kept, in case the newest one can't be read. */
const KEPT = 1

/** Ports of a checkpoint writer. */
export interface CheckpointPorts {
  store: ObjectStore
  clock: Clock
  /** A checkpoint was written. @param audioMs audio that it covers, all lanes together */
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
 * Writes checkpoints of a running job: after every leg, and after every 45 s of audio. Each one is
 * complete, has a key of its own, and is written only while this worker owns the job. A store that
 * refuses doesn't stop the replay: a crash would then cost more audio, and nothing else.
 *
 * States: *waiting* until a checkpoint is due; *writing*, when progress counts for the next one.
 */
export class CheckpointWriter {
  private readonly ports: CheckpointPorts
  private readonly job: CheckpointJob
  private readonly news = new Condition()
  /** Of each lane, the frame from which audio counts towards the next write. */
  private readonly countedFromFrames: number[]
  private legsWritten: number
  /** Safe frames of the last checkpoint, summed over all lanes. */
  private safeFrames: number
  private number = 0
  /** Failed writes in a row. */
  private refusals = 0

  constructor(ports: CheckpointPorts, job: CheckpointJob) {
    this.ports = ports
    this.job = job
    this.countedFromFrames = this.answeredFrames
    this.legsWritten = this.legs
    this.safeFrames = this.allSafeFrames
  }

  /** Wakes `run` if a checkpoint is due; called after every delta and every leg. */
  noticed(): void {
    if (this.isDue) this.news.notifyAll()
  }

  /** Writes until the signal aborts. @throws StopRequested when another worker owns the job */
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

  /** Writes what is safe, if it is more than the last checkpoint has. @throws the store's errors */
  async write(signal: AbortSignal): Promise<void> {
    const { ports, job } = this
    this.legsWritten = this.legs
    const { answeredFrames, allSafeFrames: frames } = this
    if (frames <= this.safeFrames) {
      this.putOff(AGAIN_FRAMES)
      return
    }
    // A write takes time on a machine that must send frames on time: after each refusal twice as
    // much audio passes before the next try.
    this.putOff(AGAIN_FRAMES * 2 ** this.refusals)
    this.refusals += 1
    const lanes = job.lanes.map(({ safe }) => safe)
    const { jobId } = job.attempt
    // No number is used twice: a write that was reported as failed may have stored its object.
    this.number += 1
    const { number } = this
    const document = asCheckpoint({
      ...{ jobId, number, lanes, attempt: job.attemptNumber, fence: job.fence },
      resumedFromMs: job.resumedFromMs,
      writtenAtMs: ports.clock.wallMs(),
    })
    // Where the key exists already, the answer to this writer's own put was lost: no other worker
    // has this fence.
    const key = checkpointKey(jobId, job.fence, number)
    await writeJson(ports.store, key, document, { signal, onlyIfAbsent: true })
    this.safeFrames = frames
    this.refusals = 0
    for (const [at, frame] of answeredFrames.entries()) this.countedFromFrames[at] = frame
    ports.onWritten({ number, audioMs: frames * STEP_MS })
    const old = checkpointKey(jobId, job.fence, number - KEPT - 1)
    // An old checkpoint that can't be deleted now is removed by housekeeping.
    await ports.store.delete(old, { signal }).catch(() => {})
  }

  /** Makes the next checkpoint due after this many more answered frames of a lane. */
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
      // A lane that loses a leg goes back, and counts from there.
      const from = Math.min(this.countedFromFrames[at] as number, answeredFrame)
      this.countedFromFrames[at] = from
      return answeredFrame - from >= CHECKPOINT_FRAMES
    })
  }

  private get allSafeFrames(): number {
    return this.job.lanes.reduce((sum, { safeFrame }) => sum + safeFrame, 0)
  }
}
