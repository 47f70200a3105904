import { describe, expect, it } from 'vitest'
import { NightLine } from '../../../src/planning/night-line.js'

const options = { signal: new AbortController().signal }
const waiter = (jobId: string, remainingMs: number, priority = 0) => {
  const none = { deadlineMs: null, noRoomMs: null }
  return { jobId, tenant: 'default', lanes: 1, priority, remainingMs, sinceMs: 0, ...none }
}

describe('NightLine', () => {
  it('is in the order in which jobs are let in, and keeps it', async () => {
    const jobs = [waiter('short', 10), waiter('long', 20), waiter('first', 5, 1)]
    const line = new NightLine(jobs, { nowMs: 0, agingMs: 1_000 })
    const ids = async () => (await line.list(options)).map(({ jobId }) => jobId)
    expect(await ids()).toEqual(['first', 'long', 'short'])
    await line.put({ ...waiter('long', 20), sinceMs: 99 }, options)
    expect(await ids()).toEqual(['first', 'long', 'short'])
    expect((await line.list(options))[1]?.sinceMs).toBe(0)
    await line.remove('first', options)
    expect([line.first, line.length]).toEqual(['long', 2])
  })

  it('has nobody first when nobody waits', () => {
    const line = new NightLine([], { nowMs: 0, agingMs: 1_000 })
    expect([line.first, line.length]).toEqual([null, 0])
  })
})
