import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { type Standin, type StandinOptions, startStandin } from '../../gpu/standin/server.js'
import { settingsSchema } from '../../src/config/schema.js'
import { NO_GAUGES, readEngineGauges } from '../../src/engines/engine-metrics.js'
import { EngineMonitor } from '../../src/engines/engine-monitor.js'
import { checkHealth, describeEngine } from '../../src/engines/engine-probe.js'
import { type EngineFacts, readEngine, requireUsable } from '../../src/engines/read-engine.js'
import { warmUp } from '../../src/engines/warm-up.js'
import { systemClock } from '../../src/kernel/clock.js'
import { StopRequested } from '../../src/kernel/errors.js'
import type { EngineAddress } from '../../src/realtime/index.js'
import { sessionRunner } from '../../src/realtime/run-session.js'
import { wsTransportOpener } from '../../src/realtime/ws-transport.js'
import { freePort } from '../fakes/free-port.js'
import { createSilentFactory } from '../fakes/silent-recognizer.js'

const MODEL = 'mistralai/Voxtral-Mini-4B-Realtime-2602'
const root = fileURLToPath(new URL('../..', import.meta.url))
const { signal } = new AbortController()
const SOON = { timeoutMs: 5_000 }
const clock = systemClock()
const runSession = sessionRunner({ opener: wsTransportOpener({ connectTimeoutMs: 5_000 }), clock })

let server: Server | null = null
let standin: Standin | null = null

afterEach(async () => {
  server?.closeAllConnections()
  server?.close()
  server = null
  await standin?.close()
  standin = null
})

async function serve(answer: RequestListener): Promise<EngineAddress> {
  server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { url: `ws://127.0.0.1:${port}/v1/realtime`, key: null }
}

async function start(options: Partial<StandinOptions> = {}): Promise<EngineAddress> {
  standin = await startStandin({ recognizer: createSilentFactory(), ...options })
  return { url: standin.url, key: options.key ?? null }
}

const describeIt = (engine: EngineAddress, wanted = SOON) =>
  describeEngine(engine, { model: MODEL, ...wanted }, { signal })
const gaugesOf = (engine: EngineAddress, wanted = SOON) =>
  readEngineGauges(engine, wanted, { signal })
const healthOf = (engine: EngineAddress, wanted = SOON) => checkHealth(engine, wanted, { signal })
const asks = [describeIt, gaugesOf, healthOf]

const answers = (status: number, body: string): RequestListener => {
  return (_, response) => void response.writeHead(status).end(body)
}

/** The sentence of an error must name the engine that it is about. */
function rejection(engine: EngineAddress, code: string) {
  return { code, message: expect.stringContaining(engine.url) }
}

describe('what is no engine', () => {
  it('nobody there: every question says so', async () => {
    const engine = await serve(() => {})
    server?.close()
    await once(server as Server, 'close')
    for (const ask of asks) {
      await expect(ask(engine)).rejects.toMatchObject(rejection(engine, 'engine_unavailable'))
      await expect(ask(engine)).rejects.toThrow('NIGHTSCRIBE_ENGINES')
    }
  })

  it('somebody who never answers, or never ends: every question stops in time', async () => {
    const silent = await serve(() => {})
    for (const ask of asks) {
      await expect(ask(silent, { timeoutMs: 100 })).rejects.toMatchObject(
        rejection(silent, 'engine_unavailable'),
      )
    }
    server?.closeAllConnections()
    server?.close()
    const endless = await serve((_, response) => void response.writeHead(200).write('{"data":'))
    for (const ask of asks) {
      await expect(ask(endless, { timeoutMs: 100 })).rejects.toThrow('no answer within 100 ms')
    }
  })

  it('somebody who sends without end is cut off', async () => {
    const chunk = 'x'.repeat(2 ** 20)
    const engine = await serve((_, response) => {
      const pour = () => {
        while (response.write(chunk)) if (response.destroyed) return
        response.once('drain', pour)
      }
      pour()
    })
    await expect(gaugesOf(engine)).rejects.toThrow(/no vLLM server: more than \d+ bytes/)
  })

  it.each<[string, number, string]>([
    ['a web page', 200, '<html>It works!</html>'],
    ['another JSON', 200, '{"models":[]}'],
    ['an error page', 502, 'Bad Gateway'],
    ['a start that is not over', 503, ''],
    ['a page that is not there', 404, '{"detail":"Not Found"}'],
  ])('%s is no vLLM server', async (_, status, body) => {
    const engine = await serve(answers(status, body))
    await expect(describeIt(engine)).rejects.toMatchObject(rejection(engine, 'engine_unavailable'))
  })

  it.each([401, 403])('HTTP %s: the key is missing or wrong, and is not told', async (status) => {
    const engine = await serve(answers(status, '{"error":"Unauthorized"}'))
    for (const ask of [describeIt, gaugesOf]) {
      await expect(ask(engine)).rejects.toMatchObject(rejection(engine, 'engine_unauthorized'))
      await expect(ask(engine)).rejects.toThrow('set NIGHTSCRIBE_ENGINE_KEY')
      const refused = { ...engine, key: 'hushhush' }
      await expect(ask(refused)).rejects.toThrow('refuses the key in NIGHTSCRIBE_ENGINE_KEY')
      await expect(ask(refused)).rejects.not.toThrow('hushhush')
    }
  })

  it('an engine that serves another model: names what it serves, and the setting', async () => {
    const body = JSON.stringify({ data: [{ id: 'other/model', max_model_len: 8192 }] })
    const engine = await serve(answers(200, body))
    await expect(describeIt(engine)).rejects.toMatchObject(
      rejection(engine, 'engine_model_missing'),
    )
    await expect(describeIt(engine)).rejects.toThrow(/serves other\/model.*engine\.model/)
  })

  it('an engine without figures tells none, one that fails to tell fails', async () => {
    expect(await gaugesOf(await serve(answers(404, '')))).toEqual(NO_GAUGES)
    server?.close()
    expect(await gaugesOf(await serve(answers(200, '<html></html>')))).toEqual(NO_GAUGES)
    server?.close()
    const dead = await serve(answers(503, ''))
    await expect(gaugesOf(dead)).rejects.toMatchObject(rejection(dead, 'engine_unavailable'))
  })

  it('the health of an engine: 503 is its death, and a page that a proxy hides is none', async () => {
    const dead = await serve(answers(503, ''))
    await expect(healthOf(dead)).rejects.toMatchObject(rejection(dead, 'engine_crashed'))
    server?.close()
    await expect(healthOf(await serve(answers(404, '')))).resolves.toBeUndefined()
  })

  it('a stop is a stop, whoever is asked', async () => {
    const engine = await serve(() => {})
    const stop = new AbortController()
    const asked = readEngineGauges(engine, SOON, { signal: stop.signal })
    stop.abort(new StopRequested('canceled', 'Enough.'))
    await expect(asked).rejects.toThrow('Enough.')
  })
})

describe('a stand-in', () => {
  const settings = settingsSchema.parse({})

  it('tells its figures as an engine does, and can be used', async () => {
    const { url } = await start({ maxModelLen: 4096 })
    const facts = await readEngine(settings, { url, root }, { signal })
    const { kvBlocksTotal, ...gauges } = facts.gauges
    expect(gauges).toEqual({
      cores: 1,
      kvUsage: 0,
      kvBlocksHeld: 0,
      blockTokens: facts.kvModel.blockTokens,
      waitingCapacity: 0,
      deferred: 0,
      running: 0,
      preemptions: 0,
      generationTokens: 0,
      websocketConnections: 0,
    })
    expect(requireUsable(settings, facts).kvBlocksUsable).toBe((kvBlocksTotal ?? 0) - 1)
  })

  it('whose context is too small is refused, by name and setting', async () => {
    const { url } = await start({ maxModelLen: 200 })
    const facts = await readEngine(settings, { url, root }, { signal })
    expect(() => requireUsable(settings, facts)).toThrow(
      new RegExp(`${url} has a max_model_len of 200 .* legs\\.floorMs`),
    )
  })

  it('is warmed up by one second of audio to its done', async () => {
    const engine = await start({ key: 'k' })
    const { verified } = await warmUp(
      runSession,
      { engine, model: MODEL, deltaDelayMs: 0 },
      { signal },
    )
    expect(verified).toBe(true)
    // floor((16000 - 40) / 1280) + 11
    expect((await gaugesOf(engine)).generationTokens).toBe(23)
  })

  it('that counts its steps in another way is warm, and says so', async () => {
    const engine = await start({ faults: [{ kind: 'no_right_padding' }] })
    const warm = await warmUp(runSession, { engine, model: MODEL, deltaDelayMs: 0 }, { signal })
    expect(warm.verified).toBe(false)
  })

  it('that fails in the middle is not warm', async () => {
    const engine = await start({ faults: [{ kind: 'processing_error', afterDeltas: 3 }] })
    await expect(
      warmUp(runSession, { engine, model: MODEL, deltaDelayMs: 0 }, { signal }),
    ).rejects.toMatchObject({ code: 'engine_crashed' })
  })

  it('that dies is taken out, and comes back with a warm-up', async () => {
    const port = await freePort()
    const engine = await start({ port })
    const watching = watch(engine, settings)
    await watching.until('up')
    expect(watching.seen).toEqual(['warming', 'up'])
    standin?.kill({ closeMs: 600_000 }) // until then it answers 503
    watching.watch.suspect()
    await watching.until('out')
    expect(watching.watch.health.reason).toContain(engine.url)
    await standin?.close()
    await start({ port })
    await watching.until('up')
    expect(watching.seen.slice(-2)).toEqual(['warming', 'up'])
    expect(watching.watch.facts?.description.model).toBe(MODEL)
    await watching.end()
  })

  it('that answers and can not end one utterance is never up', async () => {
    const engine = await start({ faults: [{ kind: 'processing_error', afterDeltas: 1 }] })
    const watching = watch(engine, settings)
    await watching.until('warming')
    await watching.until('out')
    expect(watching.seen).toEqual(['warming', 'out'])
    await watching.end()
  })
})

/** A watch on the true clock, with the looks that a worker uses. */
function watch(engine: EngineAddress, settings: ReturnType<typeof settingsSchema.parse>) {
  const seen: string[] = []
  const stop = new AbortController()
  let changed: () => void = () => {}
  const engineWatch = new EngineMonitor<EngineFacts>({
    looks: {
      examine: (options) => readEngine(settings, { url: engine.url, root }, options),
      warmUp: async ({ description: { model, deltaDelayMs } }, options) => {
        await warmUp(runSession, { engine, model, deltaDelayMs }, options)
      },
      check: (options) => checkHealth(engine, SOON, options),
    },
    clock,
    random: { uniform: () => 0.99, hexId: () => '' },
    onChange: ({ health }) => {
      seen.push(health.state)
      changed()
    },
  })
  const ended = engineWatch.run({ signal: stop.signal }).catch((error: unknown) => error)
  return {
    watch: engineWatch,
    seen,
    async until(state: string): Promise<void> {
      while (engineWatch.health.state !== state) {
        await new Promise<void>((resolve) => {
          changed = resolve
        })
      }
    },
    async end(): Promise<void> {
      stop.abort(new StopRequested('canceled', 'The test is over.'))
      expect(await ended).toBe(stop.signal.reason)
    },
  }
}
