import { PassThrough, Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { watchOutputs } from '../../../src/app/output-pipes.js'
import { stopSignals } from '../../../src/app/stop-signals.js'
import { isStop, UpstreamError } from '../../../src/kernel/errors.js'

/** A stream whose writes all fail. */
function failing(code: string): Writable {
  return new Writable({
    write: (_chunk, _encoding, done) => done(Object.assign(new Error(`write ${code}`), { code })),
  })
}

describe('the outputs of a program', () => {
  it('are open as long as they take what is written', async () => {
    const [out, err] = [new PassThrough().resume(), new PassThrough().resume()]
    const outputs = watchOutputs(out, err)
    out.write('one\n')
    err.write('two\n')
    await outputs.flushed()
    expect(outputs.closed.aborted).toBe(false)
  })

  it('are closed by a reader of stdout that is gone: a stop, and no failure', async () => {
    const out = failing('EPIPE')
    const outputs = watchOutputs(out, new PassThrough().resume())
    using stop = stopSignals(outputs.closed)
    out.write('one\n')
    await outputs.flushed()
    out.write('two\n') // as a command does that hasn't noticed yet
    await outputs.flushed()
    expect(isStop(outputs.closed.reason)).toBe(true)
    expect(stop.drain.reason).toBe(outputs.closed.reason)
    expect(stop.abort.aborted).toBe(false)
    using late = stopSignals(outputs.closed)
    expect(late.drain.aborted).toBe(true)
  })

  it('fail with a sentence where stdout can not be written', async () => {
    const out = failing('ENOSPC')
    const outputs = watchOutputs(out, new PassThrough().resume())
    out.write('one\n')
    await outputs.flushed()
    expect(outputs.closed.reason).toBeInstanceOf(UpstreamError)
    expect(outputs.closed.reason).toMatchObject({ code: 'output_write_failed' })
  })

  it('lose what is said on stderr, and go on', async () => {
    const err = failing('EPIPE')
    const outputs = watchOutputs(new PassThrough().resume(), err)
    err.write('one\n')
    await outputs.flushed()
    expect(outputs.closed.aborted).toBe(false)
  })
})
