import { describe, expect, it } from 'vitest'
import { nextFence } from '../../../../src/pipeline/lifecycle/attempt-fence.js'
import type { JobStore } from '../../../../src/queue/index.js'
import type { ObjectStore } from '../../../../src/storage/index.js'

const { signal } = new AbortController()

/** The fence of the next attempt, by the keys in storage and what Redis has counted. */
async function fenceAfter(keys: readonly string[], counted: number): Promise<number> {
  const store = {
    async *list(prefix: string) {
      for (const key of keys) if (key.startsWith(prefix)) yield { key }
    },
  } as unknown as ObjectStore
  const jobStore = {
    nextFence: async (_: string, floor: number) => Math.max(counted, floor) + 1,
  } as unknown as JobStore
  return await nextFence({ store, jobStore }, 'j', { signal })
}

describe('the fence of an attempt', () => {
  it.each<[string, string[], number, number]>([
    ['the first one is 1', ['jobs/j/job.json'], 0, 1],
    ['what Redis counted is above', ['jobs/j/a2/transcript.json'], 7, 8],
    ['results in storage are above a counter that was lost', ['jobs/j/a2/failure.json'], 0, 3],
    ['so are checkpoints', ['jobs/j/a2/x', 'jobs/j/checkpoints/5-000001.json'], 1, 6],
    ['12 is above 9, whatever their letters say', ['jobs/j/a12/x', 'jobs/j/a9/x'], 0, 13],
    ['other jobs are no matter', ['jobs/j2/a9/x', 'jobs/j/job.json'], 0, 1],
  ])('%s', async (_, keys, counted, fence) => {
    expect(await fenceAfter(keys, counted)).toBe(fence)
  })
})
