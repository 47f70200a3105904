import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/kernel/clock.js'
import { InputError } from '../../src/kernel/errors.js'
import { systemRandom } from '../../src/kernel/random.js'
import { RangeProxy } from '../../src/media/ffmpeg/range-proxy.js'
import { bufferSource, faultySource } from '../fakes/media-sources.js'

const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 31) % 256))
let proxy: RangeProxy
beforeAll(async () => {
  proxy = await RangeProxy.listen({ clock: systemClock(), random: systemRandom() })
})
afterAll(() => proxy[Symbol.asyncDispose]())

async function ask(url: string, init: RequestInit = {}) {
  const response = await fetch(url, init)
  return { response, body: Buffer.from(await response.arrayBuffer()) }
}

describe('RangeProxy', () => {
  it('answers GET and HEAD, whole and in part, with the right headers', async () => {
    using served = proxy.open(bufferSource(bytes))
    const whole = await ask(served.url)
    expect(whole.response.status).toBe(200)
    expect(whole.response.headers.get('accept-ranges')).toBe('bytes')
    expect(whole.body.equals(bytes)).toBe(true)
    const part = await ask(served.url, { headers: { Range: 'bytes=1000-1999' } })
    expect(part.response.status).toBe(206)
    expect(part.response.headers.get('content-range')).toBe('bytes 1000-1999/300000')
    expect(part.body.equals(bytes.subarray(1_000, 2_000))).toBe(true)
    const head = await ask(served.url, { method: 'HEAD' })
    expect(head.response.headers.get('content-length')).toBe('300000')
    expect(head.body.length).toBe(0)
  })

  it('refuses what lies outside, other methods, and addresses it did not give', async () => {
    using served = proxy.open(bufferSource(bytes))
    const outside = await ask(served.url, { headers: { Range: 'bytes=300000-' } })
    expect(outside.response.status).toBe(416)
    expect(outside.response.headers.get('content-range')).toBe('bytes */300000')
    expect((await ask(served.url, { method: 'POST' })).response.status).toBe(405)
    expect((await ask(new URL('/guess', served.url).href)).response.status).toBe(404)
    served[Symbol.dispose]()
    expect((await ask(served.url)).response.status).toBe(404)
  })

  it('hides a short failure of the source', async () => {
    const source = faultySource(bufferSource(bytes), [
      { afterBytes: 100_500, error: new Error('reset') },
    ])
    using served = proxy.open(source)
    expect((await ask(served.url)).body.equals(bytes)).toBe(true)
    expect(served.reader.failure).toBeNull()
  })

  it('breaks the connection and keeps the reason when the source is given up', async () => {
    const changed = new InputError('media_changed', 'buffer.bin was replaced.')
    const source = faultySource(bufferSource(bytes), [{ afterBytes: 1_000, error: changed }])
    using served = proxy.open(source)
    await expect(ask(served.url)).rejects.toThrow()
    expect(served.reader.failure).toBe(changed)
  })

  it('stops reading the source when the client goes away', async () => {
    let returned = () => {}
    const stopped = new Promise<void>((resolve) => {
      returned = resolve
    })
    async function* endless() {
      try {
        for (;;) yield new Uint8Array(65_536)
      } finally {
        returned()
      }
    }
    using served = proxy.open({ name: 'endless', bytes: 2 ** 40, read: async () => endless() })
    const client = request(served.url)
    client.on('response', (response) => response.once('data', () => client.destroy()))
    client.on('error', () => {}) // destroying it is what the test does
    client.end()
    await stopped
    expect(served.reader.failure).toBeNull()
  })
})
