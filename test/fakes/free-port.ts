import { once } from 'node:events'
import { createServer } from 'node:net'

/** Below those that Linux gives out by itself: nobody gets one by chance before it is used. */
const FROM = 20_000
const COUNT = 12_000
const given = new Set<number>()

/** A port of loopback that nobody listens on; in one process never the same twice. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FROM + Math.floor(Math.random() * COUNT)
    if (given.has(port)) continue
    const server = createServer().listen(port, '127.0.0.1')
    const isFree = await once(server, 'listening').then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EADDRINUSE') throw error
        return false
      },
    )
    if (!isFree) continue
    await once(server.close(), 'close')
    given.add(port)
    return port
  }
}
