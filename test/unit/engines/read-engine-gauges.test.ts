import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { NO_GAUGES, readEngineGauges } from '../../../src/engines/engine-metrics.js'

let server: Server
let answer: { status: number; body: string }
const asked: { path: string | undefined; key: string | undefined }[] = []

beforeEach(async () => {
  answer = { status: 200, body: '' }
  asked.length = 0
  server = createServer((request, response) => {
    asked.push({ path: request.url, key: request.headers.authorization })
    response.writeHead(answer.status)
    response.end(answer.body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

async function gauges(key: string | null = 'k') {
  const { port } = server.address() as AddressInfo
  const engine = { url: `ws://127.0.0.1:${port}/v1/realtime`, key }
  const { signal } = new AbortController()
  return await readEngineGauges(engine, { timeoutMs: 60_000 }, { signal })
}

describe('the figures of an engine that is asked', () => {
  it('are read from its page, with its key', async () => {
    answer.body = 'vllm:websocket_connections_active 7.0\n'
    expect(await gauges()).toEqual({ ...NO_GAUGES, websocketConnections: 7 })
    expect(asked).toEqual([{ path: '/metrics', key: 'Bearer k' }])
  })

  it.each([404, 405])('are none where it has no such page: %d', async (status) => {
    answer.status = status
    expect(await gauges(null)).toEqual(NO_GAUGES)
    expect(asked[0]?.key).toBeUndefined()
  })

  it('are refused without its key, with the setting to mend', async () => {
    answer.status = 401
    const mend = { code: 'engine_unauthorized', message: /NIGHTSCRIBE_ENGINE_KEY/ }
    await expect(gauges()).rejects.toMatchObject({ code: mend.code })
    await expect(gauges(null)).rejects.toThrow(mend.message)
  })

  it('are missing for now where it answers with an error', async () => {
    answer.status = 503
    await expect(gauges()).rejects.toMatchObject({
      code: 'engine_unavailable',
      facts: { status: 503 },
      effect: 'none',
    })
  })
})
