import { randomBytes } from 'node:crypto'
import { systemClock } from '../../src/kernel/clock.js'
import { Condition } from '../../src/kernel/condition.js'
import { systemRandom } from '../../src/kernel/random.js'
import { BullmqJobQueue } from '../../src/queue/bullmq-job-queue.js'
import { type JobWorker, startJobWorker } from '../../src/queue/bullmq-job-worker.js'
import type { Attempt, AttemptEnd, JobRecord } from '../../src/queue/index.js'
import type { JobWorkerOptions } from '../../src/queue/job-worker-options.js'
import type { TestRedis } from './test-redis.js'

const never = new AbortController().signal

/** What a worker of the tests finds of a job, and does with what it is told. */
interface Told {
  checkpointedAudioMs(jobId: string): Promise<number>
  /** The fence of its last attempt that got to work; left out, each attempt is a new one. */
  fence: number
  takenOver(jobId: string, takeovers: number): void
}

/** A queue of its own in the shared server, with what its workers did. */
export async function openTestQueue(server: TestRedis, attemptsMax = 3) {
  const prefix = `t${randomBytes(6).toString('hex')}`
  const redis = await server.connect()
  const queue = new BullmqJobQueue(await server.commands(prefix))
  const ends: { jobId: string; end: AttemptEnd }[] = []
  const changed = new Condition()
  const workers: JobWorker[] = []
  const startWorker = async (
    run: (attempt: Attempt) => Promise<void>,
    { checkpointedAudioMs, fence, takenOver, ...changes }: Partial<JobWorkerOptions & Told> = {},
  ) => {
    let fences = 0
    const jobStore: JobWorkerOptions['jobStore'] = {
      async get(jobId) {
        fences += 1_000 // each stall was an attempt that got to work
        const found = {
          checkpointedAudioMs: (await checkpointedAudioMs?.(jobId)) ?? 0,
          fence: fence ?? fences,
        }
        return found as JobRecord
      },
      async appendHistory(jobId, entry) {
        if (entry.kind === 'taken-over') takenOver?.(jobId, entry.takeovers)
      },
    }
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
      jobStore,
      writeEnd: async (jobId, end) => {
        ends.push({ jobId, end })
        changed.notifyAll()
      },
      observer: { bug: () => {}, trouble: () => {} },
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
