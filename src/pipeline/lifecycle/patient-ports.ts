import type { CallOptions } from '../../kernel/abort.js'
import { type Clock, sleepFor } from '../../kernel/clock.js'
import { NightscribeError } from '../../kernel/errors.js'
import type { JobQueue, JobStore } from '../../queue/index.js'
import type { WorkPorts } from '../index.js'

/** Interval, in ms, at which a call is repeated while Redis is unavailable. */
const ASK_AGAIN_MS = 1_000

/**
 * The ports of an attempt, whose calls to job store and queue wait while Redis is unavailable: the
 * sessions go on meanwhile, and a failed attempt would have to send their audio again. A call is
 * repeated until it is answered or the attempt is stopped. That is safe: a failed call of the job
 * store has changed nothing, and one of the queue has the same effect twice as once. Calls that
 * only show the job to people (`jobView`) don't wait.
 */
export function patientPorts(ports: WorkPorts): WorkPorts {
  const { jobStore, queue, clock } = ports
  return {
    ...ports,
    jobStore: patientStore(jobStore, clock),
    queue: patientQueue(queue, clock),
  }
}

function patientStore(store: JobStore, clock: Clock): JobStore {
  const wait = <T>(options: CallOptions, ask: () => Promise<T>) => answered(clock, options, ask)
  return {
    create: (record, options) => wait(options, () => store.create(record, options)),
    update: (id, changes, options) => wait(options, () => store.update(id, changes, options)),
    get: (id, options) => wait(options, () => store.get(id, options)),
    openIds: (options) => store.openIds(options),
    list: (page, options) => wait(options, () => store.list(page, options)),
    appendHistory: (id, entry, options) =>
      wait(options, () => store.appendHistory(id, entry, options)),
    history: (id, options) => wait(options, () => store.history(id, options)),
    publish: (id, event, options) => wait(options, () => store.publish(id, event, options)),
    events: (id, page, options) => wait(options, () => store.events(id, page, options)),
    requestCancel: (id, options) => wait(options, () => store.requestCancel(id, options)),
    onCancel: (listener, options) => wait(options, () => store.onCancel(listener, options)),
    nextFence: (id, floor, options) => wait(options, () => store.nextFence(id, floor, options)),
  }
}

function patientQueue(queue: JobQueue, clock: Clock): JobQueue {
  const wait = <T>(options: CallOptions, ask: () => Promise<T>) => answered(clock, options, ask)
  return {
    enqueue: (stage, id, options) => wait(options, () => queue.enqueue(stage, id, options)),
    promote: (stage, id, options) => wait(options, () => queue.promote(stage, id, options)),
    remove: (id, options) => wait(options, () => queue.remove(id, options)),
    has: (id, options) => wait(options, () => queue.has(id, options)),
    depth: (options) => wait(options, () => queue.depth(options)),
    close: () => queue.close(),
  }
}

/** The answer of `ask` once Redis is available. @throws other errors; the signal's reason */
async function answered<T>(
  clock: Clock,
  { signal }: CallOptions,
  ask: () => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      const isAway = error instanceof NightscribeError && error.code === 'queue_unavailable'
      if (signal.aborted || !isAway) throw error
    }
    await sleepFor(clock, ASK_AGAIN_MS, { signal })
  }
}
