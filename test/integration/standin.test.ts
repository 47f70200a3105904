import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { type Standin, type StandinOptions, startStandin } from '../../gpu/standin/server.js'
import { describeEngine } from '../../src/engines/engine-probe.js'
import { systemClock } from '../../src/kernel/clock.js'
import { deltasDue, deltasTotal } from '../../src/model/step-law.js'
import { DialogueClient } from '../conformance/dialogue-client.js'
import { createScriptedFactory } from '../fakes/scripted-recognizer.js'
import { createSilentFactory } from '../fakes/silent-recognizer.js'

const QUIET_MS_MAX = 10_000
const MODEL = 'mistralai/Voxtral-Mini-4B-Realtime-2602'
const NEVER = new AbortController().signal

let standin: Standin
const clients: DialogueClient[] = []

async function start(options: Partial<StandinOptions> = {}): Promise<void> {
  standin = await startStandin({ recognizer: createSilentFactory(), ...options })
}

/** A session that is open and has committed. */
async function connect(): Promise<DialogueClient> {
  const client = new DialogueClient(standin.url, { key: null, path: '/v1/realtime' })
  clients.push(client)
  await client.open()
  client.perform({ send: { type: 'session.update', model: MODEL } })
  client.perform({ send: { type: 'input_audio_buffer.commit' } })
  return client
}

function append(client: DialogueClient, samples: number): void {
  client.perform({ send: { type: 'input_audio_buffer.append', samples } })
}

function final(client: DialogueClient): void {
  client.perform({ send: { type: 'input_audio_buffer.commit', final: true } })
}

function framesOf(client: DialogueClient, type?: string): Array<Record<string, unknown>> {
  const frames = client.lines.flatMap((line) => ('recv' in line ? [line.recv] : []))
  return type === undefined ? frames : frames.filter((frame) => frame.type === type)
}

function deltasOf(client: DialogueClient): number {
  return framesOf(client, 'transcription.delta').length
}

async function until(client: DialogueClient, condition: () => boolean): Promise<void> {
  expect(await client.until(condition, QUIET_MS_MAX)).toBe(true)
}

const untilDone = (client: DialogueClient) =>
  until(client, () => framesOf(client, 'transcription.done').length > 0)

const untilEnded = (client: DialogueClient) => until(client, () => client.ended)

function http(path: string, init?: RequestInit): Promise<Response> {
  return fetch(`http://127.0.0.1:${standin.port}${path}`, init)
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.drop()
  await standin.close()
})

describe('the stand-in over HTTP', () => {
  it('is an engine to our own probe, and says that it is a stand-in', async () => {
    await start({
      key: 'secret',
      maxModelLen: 4096,
      recognizer: createScriptedFactory([], { lateMs: 70 }),
    })
    const described = await describeEngine(
      { url: standin.url, key: 'secret' },
      { model: MODEL, timeoutMs: 5000 },
      { signal: NEVER },
    )
    expect(described).toEqual({
      model: MODEL,
      maxModelLen: 4096,
      version: '0.32.0',
      isStandin: true,
      deltaDelayMs: 70,
    })
  })

  it('answers what needs no key, and nothing under /v1 without the right one', async () => {
    await start({ key: 'secret' })
    const answers = await Promise.all(
      [
        http('/health'),
        http('/ping', { method: 'POST' }),
        http('/health', { method: 'POST' }),
        http('/nothing'),
        http('/v1/nothing'),
        http('/v1/models', { headers: { authorization: 'Basic secret' } }),
        http('/v1/models', { headers: { authorization: 'bearer secret' } }),
        http('/v1/realtime', { headers: { authorization: 'Bearer secret' } }),
      ].map(async (pending) => {
        const response = await pending
        expect(response.headers.get('x-nightscribe-standin')).toBe('1')
        return [response.status, (await response.text()).slice(0, 30)]
      }),
    )
    expect(answers).toEqual([
      [200, ''],
      [200, ''],
      [405, '{"detail":"Method Not Allowed"}'.slice(0, 30)],
      [404, '{"detail":"Not Found"}'],
      [401, '{"error":"Unauthorized"}'],
      [401, '{"error":"Unauthorized"}'],
      [200, '{"object":"list","data":[{"id"'],
      [404, '{"detail":"Not Found"}'],
    ])
  })

  it('counts in /metrics what happens', async () => {
    await start({ maxNumSeqs: 1 })
    const first = await connect()
    append(first, 16_000)
    await until(first, () => deltasOf(first) === deltasDue(16_000))
    const second = await connect()
    append(second, 16_000)
    await second.untilQuiet(100)
    const text = await (await http('/metrics')).text()
    const labels = `engine="0",model_name="${MODEL}"`
    const held = 4 / 32_768 // 44 tokens: 3 blocks of the encoder, 1 of the decoder
    expect(text.split('\n')).toEqual(
      expect.arrayContaining([
        `vllm:generation_tokens_total{${labels}} 6.0`,
        `vllm:prompt_tokens_total{${labels}} 39.0`,
        `vllm:num_requests_waiting_by_reason{${labels},reason="capacity"} 1.0`,
        `vllm:num_requests_waiting_by_reason{${labels},reason="deferred"} 1.0`,
        `vllm:kv_cache_usage_perc{${labels}} ${held}`,
        `vllm:num_preemptions_total{${labels}} 0.0`,
        'vllm:cache_config_info{block_size="16",engine="0",num_gpu_blocks="32769"} 1.0',
        'vllm:websocket_connections_active 2.0',
        'vllm:websocket_connections_total 2.0',
      ]),
    )
  })
})

describe('the stand-in as an engine', () => {
  it('lets utterances beyond max_num_seqs wait in silence, and catch up', async () => {
    await start({ maxNumSeqs: 2 })
    const [first, second, third] = [await connect(), await connect(), await connect()]
    for (const client of [first, second]) {
      append(client, 32_000)
      await until(client, () => deltasOf(client) === deltasDue(32_000))
    }
    append(third, 32_000)
    await third.untilQuiet(150)
    expect(framesOf(third).map((frame) => frame.type)).toEqual(['session.created'])
    final(second)
    await untilDone(second)
    await until(third, () => deltasOf(third) === deltasDue(32_000))
    third.perform({ vanish: true })
    final(first)
    await untilDone(first)
    expect(standin.stats).toMatchObject({ finished: 2, failed: 0 })
  })

  it('steps a hundred sessions evenly, each with its own words', async () => {
    const words = Array.from({ length: 30 }, (_, index) => ({
      text: `word${index}`,
      endMs: 100 + index * 100,
    }))
    await start({ recognizer: createScriptedFactory(words) })
    const sessions = await Promise.all(Array.from({ length: 100 }, () => connect()))
    for (let frame = 0; frame < 50; frame += 1) {
      for (const client of sessions) append(client, 1280)
    }
    for (const client of sessions) final(client)
    await Promise.all(sessions.map(untilDone))
    for (const client of sessions) {
      expect(deltasOf(client)).toBe(deltasTotal(64_000))
      expect(framesOf(client, 'transcription.done')[0]?.text).toBe(
        words.map(({ text }) => ` ${text}`).join(''),
      )
    }
  })

  it('lets a client that does not read wait, and nobody else', async () => {
    // 12 MB of text: more than the sockets of the kernel take before the server notices.
    const words = Array.from({ length: 3000 }, (_, index) => ({
      text: 'a'.repeat(4000),
      endMs: (index + 1) * 80,
    }))
    await start({ recognizer: createScriptedFactory(words) })
    const slow = new WebSocket(standin.url)
    await once(slow, 'open')
    slow.pause()
    const samples = 240 * 16_000
    const audio = Buffer.alloc(2 * samples).toString('base64')
    slow.send(JSON.stringify({ type: 'session.update', model: MODEL }))
    slow.send(JSON.stringify({ type: 'input_audio_buffer.commit' }))
    slow.send(JSON.stringify({ type: 'input_audio_buffer.append', audio }))
    let before = 0
    const standsStill = () => {
      const [previous, now] = [before, standin.stats.generationTokens]
      before = now
      return now > 0 && now === previous
    }
    await expect.poll(standsStill, { interval: 100, timeout: QUIET_MS_MAX }).toBe(true)
    expect(standin.stats.generationTokens).toBeLessThan(deltasDue(samples))

    const quick = await connect()
    append(quick, 16_000)
    final(quick)
    await untilDone(quick)

    let deltas = 0
    const caughtUp = new Promise<void>((resolve) => {
      slow.on('message', (data) => {
        if (data.toString().includes('transcription.delta')) deltas += 1
        if (deltas === deltasDue(samples)) resolve()
      })
    })
    slow.resume()
    await caughtUp
    slow.terminate()
  })

  it("closes with 1009 and vLLM's reason for a frame beyond 16 MiB", async () => {
    await start()
    const client = await connect()
    client.perform({ sendTextBytes: 16 * 1024 * 1024 })
    await until(client, () => framesOf(client, 'error').length === 1)
    client.perform({ sendTextBytes: 16 * 1024 * 1024 + 1 })
    await untilEnded(client)
    expect(client.lines.at(-1)).toMatchObject({
      closed: 1009,
      reason: 'frame exceeds limit of 16777216 bytes',
    })
  })

  it('closes with 1012 when it is told to end, and frees its port', async () => {
    await start()
    const client = await connect()
    append(client, 16_000)
    await until(client, () => deltasOf(client) > 0)
    await standin.close()
    await untilEnded(client)
    expect(client.lines.at(-1)).toMatchObject({ closed: 1012, reason: '' })
    await expect(http('/health')).rejects.toThrow()
    expect(await standin.ended).toBe('closed')
  })

  it('says in one sentence that its port is taken', async () => {
    await start()
    await expect(
      startStandin({ recognizer: createSilentFactory(), port: standin.port }),
    ).rejects.toThrow(`The stand-in can't listen on port ${standin.port}`)
  })

  it('dies at max_model_len as vLLM did before 0.32, and all its sessions with it', async () => {
    await start({ version: '0.31.1', maxModelLen: 60, timeScale: 20 })
    const other = await connect()
    append(other, 16_000)
    await until(other, () => deltasOf(other) === deltasDue(16_000))
    const long = await connect()
    append(long, 64_000)
    for (const client of [other, long]) {
      await untilEnded(client)
      expect(client.lines.at(-1)).toMatchObject({ closed: 1012 })
      expect(framesOf(client, 'error')[0]?.code).toBe('processing_error')
    }
    expect(deltasOf(long)).toBe(21)
    expect(await standin.ended).toBe('died')
  })

  it('takes the time of a GPU for its steps', async () => {
    await start({ gpu: 'l4', blocks: 100 })
    const client = await connect()
    append(client, 16_000)
    final(client)
    await until(client, () => deltasOf(client) > 0)
    // Without step times all of them are there at once.
    expect(standin.stats.generationTokens).toBeLessThan(5)
    await untilDone(client)
    expect(standin.stats).toMatchObject({ kvBlocksUsable: 99, kvBlocksHeldMax: 5 })
  })

  it('gives the time of its session in Unix seconds', async () => {
    const beforeS = Math.floor(systemClock().wallMs() / 1000)
    await start()
    const client = await connect()
    await until(client, () => client.sights > 0)
    const [created] = framesOf(client)
    expect(created?.id).toMatch(/^sess-[0-9a-f]{16}$/)
    expect(created?.created).toBeGreaterThanOrEqual(beforeS)
  })
})
