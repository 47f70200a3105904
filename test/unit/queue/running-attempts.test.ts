import { describe, expect, it } from 'vitest'
import { StopRequested } from '../../../src/kernel/errors.js'
import { LOCK_LOST } from '../../../src/queue/job-disposition.js'
import { RunningAttempts } from '../../../src/queue/running-attempts.js'

const STOP = new StopRequested('internal', 'Stop.')

/** An attempt that goes on until it is stopped, and then for as long as it is told. */
function attempt() {
  const events: unknown[] = []
  let end = () => {}
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  const run = async ({ signal }: AbortController) => {
    events.push('begins')
    signal.addEventListener('abort', () => events.push(signal.reason))
    if (signal.aborted) events.push(signal.reason)
    await ended
    events.push('ends')
  }
  return { run, events, end }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('the attempts of one process', () => {
  it('are of each job one at a time: the older one is stopped, and the newer one never begins', async () => {
    const attempts = new RunningAttempts()
    const [older, newer, other] = [attempt(), attempt(), attempt()]
    const first = attempts.run('job', older.run)
    let outcome: boolean | null = null
    const second = attempts.run('job', newer.run).then((isRun) => {
      outcome = isRun
    })
    const third = attempts.run('other', other.run)
    await settled()
    expect(older.events).toEqual(['begins', LOCK_LOST])
    expect({ outcome, events: other.events }).toEqual({ outcome: null, events: ['begins'] })
    older.end()
    other.end()
    expect(await Promise.all([first, third])).toEqual([true, true])
    await second
    expect({ outcome, events: newer.events }).toEqual({ outcome: false, events: [] })
  })

  it('begin anew once an older one has ended, whatever it has failed with', async () => {
    const attempts = new RunningAttempts()
    const failing = async () => {
      throw new Error('It has failed.')
    }
    await expect(attempts.run('job', failing)).rejects.toThrow('It has failed.')
    expect(attempts.abort('job', STOP)).toBe(false)
    const again = attempt()
    again.end()
    expect(await attempts.run('job', again.run)).toBe(true)
    expect(again.events).toEqual(['begins', 'ends'])
  })

  it('are stopped by name', async () => {
    const attempts = new RunningAttempts()
    const one = attempt()
    const run = attempts.run('job', one.run)
    expect(attempts.abort('job', STOP)).toBe(true)
    expect(attempts.abort('other', STOP)).toBe(false)
    one.end()
    await run
    expect(one.events).toEqual(['begins', STOP, 'ends'])
  })

  it('begin stopped once all were stopped', async () => {
    const attempts = new RunningAttempts()
    const [one, late] = [attempt(), attempt()]
    const run = attempts.run('job', one.run)
    attempts.abortAll(STOP)
    const lateRun = attempts.run('late', late.run)
    one.end()
    late.end()
    await Promise.all([run, lateRun])
    expect(one.events).toEqual(['begins', STOP, 'ends'])
    expect(late.events).toContain(STOP)
  })
})
