import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import WebSocket, { WebSocketServer } from 'ws'
import { Keepalive } from '../../gpu/standin/wire/keepalive.js'

let server: WebSocketServer
let keepalive: Keepalive

beforeEach(async () => {
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  keepalive = new Keepalive(500)
  server.on('connection', (socket) => keepalive.add(socket))
})
afterEach(async () => {
  keepalive.stop()
  await new Promise((resolve) => server.close(resolve))
})

function connect(options: WebSocket.ClientOptions = {}): WebSocket {
  const { port } = server.address() as AddressInfo
  return new WebSocket(`ws://127.0.0.1:${port}`, options)
}

it('pings again and again whoever answers', async () => {
  const client = connect()
  for (let pings = 0; pings < 3; pings += 1) await once(client, 'ping')
  expect(client.readyState).toBe(WebSocket.OPEN)
  client.terminate()
})

it('ends a connection that leaves a ping unanswered', async () => {
  const client = connect({ autoPong: false })
  const closed = once(client, 'close')
  await once(client, 'ping')
  const [code] = await closed
  expect([1006, 1011]).toContain(code)
})
