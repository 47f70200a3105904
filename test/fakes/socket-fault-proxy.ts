import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** An engine as seen through a bad network; disposing it ends all connections. */
export interface SocketFaultProxy extends AsyncDisposable {
  readonly port: number
  /** Sessions that are connected and not yet struck. */
  readonly sessions: number
  /** Resets the connection of one session. @param pick in [0, 1). @returns false without any */
  cut(pick: number): boolean
  /** From here on nothing of what the engine says reaches the client of one session. */
  silence(pick: number): boolean
  /** Resets everything and refuses connections until `open`. */
  shut(): Promise<void>
  open(): Promise<void>
}

/** What the first line of a session begins with; anything else is a question to the engine. */
const SESSION_START = 'GET /v1/realtime'

interface Pair {
  client: Socket
  upstream: Socket
}

/** Passes bytes to and from an engine on 127.0.0.1. Its port stays the same while it is shut. */
export async function startSocketFaultProxy(upstreamPort: number): Promise<SocketFaultProxy> {
  const all = new Set<Socket>()
  const sessions = new Set<Pair>()
  const server = createServer((client) => {
    const upstream = connect(upstreamPort, '127.0.0.1')
    const pair = { client, upstream }
    const end = () => {
      sessions.delete(pair)
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) {
      all.add(socket)
      socket.setNoDelay(true)
      socket.on('error', end)
      socket.once('close', () => {
        all.delete(socket)
        end()
      })
    }
    client.once('data', (first) => {
      if (first.toString('latin1').startsWith(SESSION_START)) sessions.add(pair)
      upstream.write(first)
      client.pipe(upstream)
    })
    upstream.pipe(client)
  })
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  await listen(0)
  const { port } = server.address() as AddressInfo
  const shut = async () => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    for (const socket of all) socket.resetAndDestroy()
    await closed
  }
  const take = (pick: number): Pair | null => {
    const pair = [...sessions][Math.floor(pick * sessions.size)] ?? null
    if (pair) sessions.delete(pair)
    return pair
  }
  return {
    port,
    get sessions() {
      return sessions.size
    },
    cut(pick) {
      const pair = take(pick)
      pair?.client.resetAndDestroy()
      return pair !== null
    },
    silence(pick) {
      const pair = take(pick)
      pair?.upstream.unpipe(pair.client).pause()
      return pair !== null
    },
    shut,
    async open() {
      if (!server.listening) await listen(port)
    },
    [Symbol.asyncDispose]: shut,
  }
}
