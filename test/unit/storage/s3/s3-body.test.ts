import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { InputError, StopRequested, UpstreamError } from '../../../../src/kernel/errors.js'
import { resumableBody } from '../../../../src/storage/s3/s3-body.js'
import { instantClock } from '../../../fakes/instant-clock.js'

/** An answer that gives some bytes and then breaks, or ends when `error` is null. */
function answer(bytes: number, error: Error | null = new Error('ECONNRESET')): Readable {
  async function* chunks() {
    if (bytes > 0) yield Buffer.alloc(bytes, 1)
    if (error) throw error
  }
  return Readable.from(chunks())
}

function body(first: Readable, reopen: (fromByte: number) => Promise<Readable>) {
  const clock = instantClock()
  const controller = new AbortController()
  const read = resumableBody({
    first,
    contentBytes: 100,
    reopen,
    classify: (cause) => new UpstreamError('storage_unavailable', 'given up', { cause }),
    clock,
    random: { uniform: () => 1, hexId: () => '' },
    signal: controller.signal,
  })
  const drain = async () => {
    let bytes = 0
    for await (const chunk of read) bytes += chunk.byteLength
    return bytes
  }
  return { read, drain, clock, controller }
}

describe('a body that was cut', () => {
  it('goes on at the byte it reached, however often', async () => {
    const asked: number[] = []
    const { drain } = body(answer(10), async (fromByte) => {
      asked.push(fromByte)
      return answer(10)
    })
    expect(await drain()).toBe(100)
    expect(asked).toEqual([10, 20, 30, 40, 50, 60, 70, 80, 90])
  })

  it('is cut, too, when the answer ends early without an error', async () => {
    const { drain } = body(answer(60, null), async () => answer(40, null))
    expect(await drain()).toBe(100)
  })

  it('fails after five tries in a row without a byte, waiting longer each time', async () => {
    const { drain, clock } = body(answer(10), async () => answer(0))
    await expect(drain()).rejects.toMatchObject({ code: 'storage_unavailable' })
    expect(clock.sleptMs).toEqual([200, 400, 800, 1600, 3200])
  })

  it.each([
    ['the content is another one', new InputError('media_changed', 'changed')],
    ['the rest was asked for in vain', new UpstreamError('storage_unavailable', 'HTTP 503')],
  ])('fails at once when %s', async (_, error) => {
    const { drain, clock } = body(answer(10), async () => {
      throw error
    })
    await expect(drain()).rejects.toBe(error)
    expect(clock.sleptMs).toEqual([200])
  })

  it('lets an answer go that nobody started to read, on return and on abort', async () => {
    const left = answer(100)
    await body(left, async () => answer(0)).read.return()
    expect(left.destroyed).toBe(true)
    const aborted = answer(100)
    const { controller, drain } = body(aborted, async () => answer(0))
    const reason = new StopRequested('canceled', 'stop')
    controller.abort(reason)
    expect(aborted.destroyed).toBe(true)
    await expect(drain()).rejects.toBe(reason)
  })
})
