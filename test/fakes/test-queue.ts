import { randomBytes } from 'node:crypto'
import { systemClock } from '../../src/kernel/clock.js'
import { Condition } from '../../src/kernel/condition.js'
import { systemRandom } from '../../src/kernel/random.js'
import { BullmqJobQueue } from '../../src/queue/bullmq-job-queue.js'
import { type JobWorker, startJobWorker } from '../../src/queue/bullmq-job-worker.js'
import type { Attempt, AttemptEnd } from '../../src/queue/index.js'
import type { JobWorkerOptions } from '../../src/queue/job-worker-options.js'
import type { TestRedis } from './test-redis.js'

const never = new AbortController().signal

/** A queue of its own in the shared server, with what its workers did. */
export async function openTestQueue(server: TestRedis, attemptsMax = 3) {
  const prefix = `t${randomBytes(6).toString('hex')}`
  const redis = await server.connect()
  const queue = new BullmqJobQueue({ redis, prefix })
  const ends: { jobId: string; end: AttemptEnd }[] = []
  const changed = new Condition()
  const workers: JobWorker[] = []
  const startWorker = async (
    run: (attempt: Attempt) => Promise<void>,
    changes: Partial<JobWorkerOptions> = {},
  ) => {
    const worker = startJobWorker({
      redis: await server.connect(),
      prefix,
      stage: 'transcribe',
      concurrency: 10,
      lockDurationMs: 10_000,
      stalledIntervalMs: 1_000,
      attemptsMax,
      backoffMs: 10,
      backoffMaxMs: 20,
      clock: systemClock(),
      random: systemRandom(),
      onEnded: async (jobId, end) => {
        ends.push({ jobId, end })
        changed.notifyAll()
      },
      checkpointedAudioMs: async () => 0,
      onTakenOver: async () => {},
      onBug: () => {},
      onError: () => {},
      run: async (attempt) => {
        try {
          await run(attempt)
        } finally {
          changed.notifyAll()
        }
      },
      ...changes,
    })
    workers.push(worker)
    return worker
  }
  const until = async (condition: () => boolean) => {
    while (!condition()) await changed.wait(never)
  }
  const close = async () => {
    await Promise.all(workers.map((worker) => worker.drain()))
    await queue.close()
  }
  return { queue, ends, startWorker, until, close, prefix, redis }
}
