import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import {
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/kernel/clock.js'
import { systemRandom } from '../../src/kernel/random.js'
import type { ObjectStore, UnfinishedPut } from '../../src/storage/index.js'
import { createS3Client, type S3Access } from '../../src/storage/s3/s3-client.js'
import { openS3Store } from '../../src/storage/s3/s3-object-store.js'
import { instantClock } from '../fakes/instant-clock.js'
import { type Radosgw, startRadosgw } from '../fakes/radosgw.js'
import { startS3FaultProxy } from '../fakes/s3-fault-proxy.js'
import { collect, keysOf, objectStoreContract } from './object-store.js'

const signal = new AbortController().signal
const BUCKET = 'recordings'

let server: Radosgw

beforeAll(async () => {
  server = await startRadosgw()
  await server.createBucket(BUCKET)
})

afterAll(async () => await server?.[Symbol.asyncDispose]())

type Differences = Partial<Parameters<typeof openS3Store>[0]>

function access(): S3Access {
  const { endpoint, accessKeyId, secretAccessKey } = server
  const keys = { accessKeyId, secretAccessKey }
  return { endpoint, ...keys, region: 'us-east-1', pathStyle: null, checksums: 'when_required' }
}

function open(prefix: string, differences: Differences = {}): ObjectStore {
  return openS3Store({
    ...access(),
    url: `s3://${BUCKET}/${prefix}`,
    clock: systemClock(),
    random: systemRandom(),
    pageKeysMax: 3,
    ...differences,
  })
}

objectStoreContract('s3', async () => ({
  store: open('contract'),
  async readAddress(url) {
    const answer = await fetch(url)
    return new Uint8Array(await answer.arrayBuffer())
  },
  async [Symbol.asyncDispose]() {},
}))

describe('s3 store', () => {
  it('keeps to its prefix', async () => {
    const inner = open('outer/inner/')
    const outer = open('outer')
    expect(inner.location).toBe(`s3://${BUCKET}/outer/inner`)
    await inner.put('key', Buffer.from('x'), { signal })
    await outer.put('inner-too', Buffer.from('x'), { signal })
    expect(await keysOf(inner, '')).toEqual(['key'])
    expect(await keysOf(outer, '')).toEqual(['inner-too', 'inner/key'])
  })

  it('leaves no parts of an upload that failed or was aborted', async () => {
    const store = open('parts')
    const controller = new AbortController()
    async function* broken(then: () => void) {
      for (let i = 0; i < 5; i += 1) yield Buffer.alloc(4_000_000)
      then()
      throw new Error('broken')
    }
    await expect(
      store.put(
        'a',
        broken(() => {}),
        { signal },
      ),
    ).rejects.toThrow('broken')
    const stop = new Error('stop')
    const aborted = store.put(
      'b',
      broken(() => controller.abort(stop)),
      controller,
    )
    await expect(aborted).rejects.toBe(stop)
    const client = createS3Client(access())
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: BUCKET }))
    client.destroy()
    expect(Uploads).toEqual([])
  })

  it('tells uploads below its prefix that never ended, with their size, and drops them', async () => {
    const client = createS3Client(access())
    const begin = async (Key: string) => {
      const upload = { Bucket: BUCKET, Key }
      const { UploadId } = await client.send(new CreateMultipartUploadCommand(upload))
      const part = { ...upload, UploadId, PartNumber: 1, Body: Buffer.alloc(1_000) }
      await client.send(new UploadPartCommand(part))
    }
    for (const key of ['left/jobs/a', 'left/jobs/b', 'elsewhere/c']) await begin(key)
    const [store, elsewhere] = [open('left'), open('elsewhere')]
    const unfinished = async (of: ObjectStore) => {
      const found: UnfinishedPut[] = []
      for await (const each of of.unfinished({ signal })) found.push(each)
      return found
    }
    const [first, second] = await unfinished(store)
    expect([first, second]).toMatchObject([
      { key: 'jobs/a', bytes: 1_000 },
      { key: 'jobs/b', bytes: 1_000 },
    ])
    expect(Math.abs((first?.touchedMs ?? 0) - Date.now())).toBeLessThan(3_600_000)
    for (const each of [first, second, first]) {
      if (each) await store.dropUnfinished(each, { signal })
    }
    expect(await unfinished(store)).toEqual([])
    const others = await unfinished(elsewhere)
    expect(others).toMatchObject([{ key: 'c' }])
    for (const each of others) await elsewhere.dropUnfinished(each, { signal })
    client.destroy()
  })

  it('goes on where a connection was cut, and pins the rest to the same content', async () => {
    const body = Buffer.alloc(6_000_000, 'spoken words ')
    await open('cut').put('long.wav', body, { signal })
    await using proxy = await startS3FaultProxy(server.endpoint)
    const cutNext = (times: number) =>
      proxy.set({ kind: 'cut-body', afterBytes: 1_400_000 }, { times })
    const store = open('cut', { endpoint: proxy.endpoint })
    const range = { startByte: 7, endByte: 5_999_000 }
    const four = cutNext(4)
    const whole = await collect((await store.get('long.wav', { signal })).body)
    expect(whole.equals(body)).toBe(true)
    expect(four.strikes).toBe(4)
    const one = cutNext(1)
    const part = await collect((await store.get('long.wav', { signal, range })).body)
    expect(part.equals(body.subarray(7, 5_999_000))).toBe(true)
    expect(one.strikes).toBe(1)
    cutNext(1)
    const { body: changing } = await store.get('long.wav', { signal })
    const reading = (async () => {
      let chunks = 0
      for await (const _ of changing) {
        if (chunks === 0) await open('cut').put('long.wav', Buffer.alloc(6_000_000), { signal })
        chunks += 1
      }
    })()
    await expect(reading).rejects.toMatchObject({ name: 'InputError', code: 'media_changed' })
  })

  it('works with checksums on everything', async () => {
    const store = open('checked', { checksums: 'always' })
    const outcome = await store.put('a.wav', Buffer.from('checked'), { signal })
    expect(outcome.kind).toBe('stored')
    expect((await collect((await store.get('a.wav', { signal })).body)).toString()).toBe('checked')
  })
})

describe('s3 store with something wrong', () => {
  const everyWay: [string, (store: ObjectStore) => Promise<unknown>][] = [
    ['head', (store) => store.head('a.wav', { signal })],
    ['get', (store) => store.get('a.wav', { signal })],
    ['put', (store) => store.put('a.wav', Buffer.from('x'), { signal })],
    ['list', (store) => keysOf(store, 'a')],
    ['delete', (store) => store.delete('a.wav', { signal })],
  ]

  it.each(everyWay)('%s: a wrong secret is a wrong setting', async (_, act) => {
    await expect(act(open('', { secretAccessKey: 'wrong' }))).rejects.toMatchObject({
      name: 'ConfigError',
      code: 'config_invalid',
      message: expect.stringContaining('NIGHTSCRIBE_S3_SECRET_ACCESS_KEY'),
    })
  })

  it.each(everyWay)('%s: an unknown key is a wrong setting', async (_, act) => {
    await expect(act(open('', { accessKeyId: 'nobody' }))).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringContaining('NIGHTSCRIBE_S3_ACCESS_KEY_ID'),
    })
  })

  it.each(everyWay)('%s: a missing bucket is a wrong setting', async (_, act) => {
    await expect(act(open('', { url: 's3://no-such-bucket/x' }))).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringMatching(/s3:\/\/no-such-bucket\/x.*NIGHTSCRIBE_STORAGE/),
    })
  })

  it.each(everyWay)('%s: a server that is not running may run later', async (_, act) => {
    const endpoint = `http://127.0.0.1:${await closedPort()}`
    await expect(act(open('', { endpoint }))).rejects.toMatchObject({
      name: 'UpstreamError',
      effect: 'none',
      retryable: true,
      message: expect.stringMatching(/ECONNREFUSED.*NIGHTSCRIBE_S3_ENDPOINT/),
    })
  })

  it.each(everyWay)('%s: something that is no S3 server is a wrong setting', async (_, act) => {
    await using other = await answering(404, '<html><body>Not here</body></html>')
    await expect(act(open('', { endpoint: other.endpoint }))).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringContaining('NIGHTSCRIBE_S3_ENDPOINT'),
    })
  })

  it.each(everyWay.slice(1, 3))(
    '%s: a server that is too busy may have time later',
    async (_, act) => {
      await using busy = await answering(503, '<Error><Code>SlowDown</Code></Error>')
      const clock = instantClock()
      await expect(act(open('', { endpoint: busy.endpoint, clock }))).rejects.toMatchObject({
        name: 'UpstreamError',
        message: expect.stringContaining('503'),
      })
    },
  )

  it.each(everyWay)('%s: ends at once when aborted while the server is silent', async (way) => {
    const controller = new AbortController()
    const reason = new Error('stop')
    const silent = createServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => {}).once('data', () => controller.abort(reason))
    })
    const sockets = new Set<Socket>()
    await using server = await listening(silent, () => {
      for (const socket of sockets) socket.destroy()
    })
    const store = open('', { endpoint: server.endpoint })
    const act = {
      head: () => store.head('a.wav', controller),
      get: () => store.get('a.wav', controller),
      put: () => store.put('a.wav', Buffer.from('x'), controller),
      list: () => store.list('a', controller)[Symbol.asyncIterator]().next(),
      delete: () => store.delete('a.wav', controller),
    }[way]
    await expect(act?.()).rejects.toBe(reason)
  })

  it('says which right another account lacks', async () => {
    await open('denied').put('a.wav', Buffer.from('x'), { signal })
    const store = open('denied', await server.addUser('stranger'))
    const options = { signal }
    const forbidden = {
      name: 'InputError',
      code: 'input_forbidden',
      message: expect.stringMatching(/a\.wav.*s3:GetObject/),
    }
    await expect(store.head('a.wav', options)).rejects.toMatchObject(forbidden)
    await expect(store.get('a.wav', options)).rejects.toMatchObject(forbidden)
    await expect(keysOf(store, 'a')).rejects.toMatchObject({
      code: 'input_forbidden',
      message: expect.stringContaining('s3:ListBucket'),
    })
    await expect(store.put('a.wav', Buffer.from('y'), options)).rejects.toMatchObject({
      name: 'UpstreamError',
      code: 'output_write_failed',
      message: expect.stringMatching(/a\.wav.*s3:PutObject/),
    })
  })
})

interface Listening extends AsyncDisposable {
  endpoint: string
}

async function listening(socketServer: Server, close: () => void): Promise<Listening> {
  socketServer.listen(0, '127.0.0.1')
  await once(socketServer, 'listening')
  const { port } = socketServer.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(socketServer, 'close')
      socketServer.close()
      close()
      await closed
    },
  }
}

/** A web server with one answer to everything. */
async function answering(status: number, body: string): Promise<Listening> {
  const web = createHttpServer((request, response) => {
    request.resume()
    response.writeHead(status, { 'content-type': 'text/html' }).end(body)
  })
  return await listening(web, () => web.closeAllConnections())
}

async function closedPort(): Promise<number> {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  await once(taken.close(), 'close')
  return port
}
