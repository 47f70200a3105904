import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Transport } from '../../src/realtime/index.js'
import { wsTransportOpener } from '../../src/realtime/ws-transport.js'
import { allOf } from '../fakes/all-of.js'

const signal = new AbortController().signal
const opener = wsTransportOpener({ connectTimeoutMs: 5_000 })
let server: WebSocketServer

beforeEach(async () => {
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
})
afterEach(() => {
  for (const client of server.clients) client.terminate()
  server.close()
})

/** A transport, and the engine's end of its socket. */
async function connected(): Promise<{ transport: Transport; engine: WebSocket }> {
  const { port } = server.address() as AddressInfo
  const accepted = once(server, 'connection') as Promise<[WebSocket]>
  const transport = await opener.open({ url: `ws://127.0.0.1:${port}`, key: null }, { signal })
  const [engine] = await accepted
  return { transport, engine }
}

/** Resolves once a figure is the same in five looks one after the other. */
async function untilStill(figure: () => number): Promise<void> {
  for (let same = 0, last = Number.NaN; same < 5; ) {
    same = figure() === last ? same + 1 : 0
    last = figure()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

describe('a socket to an engine', () => {
  it('tells every frame in order, binary ones as what they are, and the close last', async () => {
    const { transport, engine } = await connected()
    engine.send('one')
    engine.send(Buffer.from([1, 2, 3]))
    engine.send('two')
    engine.close(1012, 'restart')
    expect(await allOf(transport.events())).toEqual([
      { kind: 'message', text: 'one' },
      { kind: 'binary', bytes: 3 },
      { kind: 'message', text: 'two' },
      { kind: 'closed', code: 1012, reason: 'restart' },
    ])
  })

  it('lets an engine wait whose events nobody reads, and loses none of them', async () => {
    const { transport, engine } = await connected()
    const text = 'x'.repeat(64 * 1024)
    const count = 400
    for (let sent = 0; sent < count; sent += 1) engine.send(text)
    // What is neither in the mailbox nor in the buffers of the two sockets waits at the sender.
    await untilStill(() => engine.bufferedAmount)
    expect(engine.bufferedAmount).toBeGreaterThan(count * text.length * 0.3)
    engine.close(1000)
    const events = await allOf(transport.events())
    expect(events.filter(({ kind }) => kind === 'message')).toHaveLength(count)
    expect(events.at(-1)).toMatchObject({ kind: 'closed', code: 1000 })
  })
})
