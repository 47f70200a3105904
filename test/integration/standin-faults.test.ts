import { afterEach, describe, expect, it } from 'vitest'
import type { Fault } from '../../gpu/standin/faults/fault-kinds.js'
import { type Standin, startStandin } from '../../gpu/standin/server.js'
import { deltasDue, deltasTotal } from '../../src/model/step-law.js'
import { DialogueClient } from '../conformance/dialogue-client.js'
import { createScriptedFactory } from '../fakes/scripted-recognizer.js'

const QUIET_MS_MAX = 30_000
const MODEL = 'mistralai/Voxtral-Mini-4B-Realtime-2602'
/** One word every half second. */
const WORDS = Array.from({ length: 40 }, (_, index) => ({
  text: `w${index}`,
  endMs: (index + 1) * 500,
}))

let standin: Standin
const clients: DialogueClient[] = []

/** A stand-in with one fault, and a session that has committed and sent so much audio. */
async function befall(fault: Fault, samples: number): Promise<DialogueClient> {
  standin = await startStandin({ recognizer: createScriptedFactory(WORDS), faults: [fault] })
  return await session(samples)
}

async function session(samples: number): Promise<DialogueClient> {
  const client = new DialogueClient(standin.url, { key: null, path: '/v1/realtime' })
  clients.push(client)
  await client.open()
  client.perform({ send: { type: 'session.update', model: MODEL } })
  client.perform({ send: { type: 'input_audio_buffer.commit' } })
  append(client, samples)
  return client
}

function append(client: DialogueClient, samples: number): void {
  client.perform({ send: { type: 'input_audio_buffer.append', samples } })
}

function final(client: DialogueClient): void {
  client.perform({ send: { type: 'input_audio_buffer.commit', final: true } })
}

/** What a client got, `3 deltas` for three in a row, and how it ended. */
function sightsOf(client: DialogueClient): string[] {
  const sights: string[] = []
  let deltas = 0
  const flush = () => {
    if (deltas > 0) sights.push(`${deltas} deltas`)
    deltas = 0
  }
  for (const line of client.lines) {
    if ('recv' in line && line.recv.type === 'transcription.delta') {
      deltas += 1
      continue
    }
    if ('recv' in line) {
      flush()
      sights.push(String(line.recv.code ?? line.recv.type))
    } else if ('closed' in line) {
      flush()
      sights.push(`closed ${line.closed}`)
    } else if ('refused' in line) {
      sights.push(`refused ${line.refused}`)
    }
  }
  flush()
  return sights
}

async function untilSight(client: DialogueClient, sight: string): Promise<void> {
  expect(await client.until(() => sightsOf(client).includes(sight), QUIET_MS_MAX)).toBe(true)
}

/** Waits until it got that so often, whatever came between. */
async function untilSights(client: DialogueClient, sight: string, count: number): Promise<void> {
  const isThere = () => sightsOf(client).filter((each) => each === sight).length >= count
  expect(await client.until(isThere, QUIET_MS_MAX)).toBe(true)
}

/** Long enough for a frame that should not come. */
const settle = (client: DialogueClient) => client.untilQuiet(150)

afterEach(async () => {
  for (const client of clients.splice(0)) client.drop()
  await standin.close()
})

describe('faults of the stand-in', () => {
  it('engine_death: an error to whoever generates, 1012 for all, and it is up again', async () => {
    const fault: Fault = {
      kind: 'engine_death',
      afterDeltas: 20,
      closeMs: 50,
      downMs: 50,
      count: 1,
    }
    const client = await befall(fault, 16_000)
    const other = await session(16_000)
    const idle = new DialogueClient(standin.url, { key: null, path: '/v1/realtime' })
    clients.push(idle)
    await idle.open()
    await untilSight(other, '6 deltas')
    append(client, 64_000)
    for (const each of [client, other, idle]) await untilSight(each, 'closed 1012')
    expect(sightsOf(client)).toEqual([
      ...['session.created', '20 deltas', 'processing_error', 'closed 1012'],
    ])
    expect(sightsOf(other)).toEqual([
      ...['session.created', '6 deltas', 'processing_error', 'closed 1012'],
    ])
    expect(sightsOf(idle)).toEqual(['session.created', 'closed 1012'])
    const error = client.lines.find((line) => 'recv' in line && line.recv.type === 'error')
    expect(error).toMatchObject({
      recv: {
        error: 'EngineCore encountered an issue. See stack trace (above) for the root cause.',
      },
    })
    const health = () =>
      fetch(`http://127.0.0.1:${standin.port}/health`).then(
        ({ status }) => status,
        () => 'down',
      )
    await expect.poll(health, { timeout: QUIET_MS_MAX }).toBe(200)
    const later = await session(64_000)
    final(later)
    await untilSight(later, 'transcription.done')
  })

  it('engine_death by our own hand: health 503 until it is down for good', async () => {
    standin = await startStandin({ recognizer: createScriptedFactory(WORDS) })
    const client = await session(16_000)
    await untilSight(client, '6 deltas')
    standin.kill({ closeMs: 600_000 })
    await untilSights(client, 'processing_error', 1)
    client.perform({ send: { type: 'input_audio_buffer.commit' } })
    await untilSights(client, 'processing_error', 2)
    expect((await fetch(`http://127.0.0.1:${standin.port}/health`)).status).toBe(503)
    await standin.close()
    expect(sightsOf(client).filter((sight) => sight === 'processing_error')).toHaveLength(2)
    standin = await startStandin({ recognizer: createScriptedFactory(WORDS) })
    const other = await session(16_000)
    await untilSight(other, '6 deltas')
    standin.kill({ closeMs: 0 })
    await untilSight(other, 'closed 1012')
    expect(await standin.ended).toBe('died')
    await expect(fetch(`http://127.0.0.1:${standin.port}/health`)).rejects.toThrow()
  })

  it('engine_death, abrupt: 1006 without a frame', async () => {
    const client = await befall({ kind: 'engine_death', afterDeltas: 5, abrupt: 1 }, 32_000)
    await untilSight(client, 'closed 1006')
    expect(sightsOf(client).filter((sight) => sight.includes('error'))).toEqual([])
    expect(await standin.ended).toBe('died')
  })

  it('engine_death, term: 1012 to everybody without a word, and it is up again', async () => {
    const fault: Fault = { kind: 'engine_death', afterDeltas: 5, term: 1, downMs: 0, count: 1 }
    const client = await befall(fault, 32_000)
    await untilSight(client, 'closed 1012')
    expect(sightsOf(client)).toEqual(['session.created', '5 deltas', 'closed 1012'])
    const base = `http://127.0.0.1:${standin.port}`
    const health = () =>
      fetch(`${base}/health`).then(
        ({ status }) => status,
        () => 'down',
      )
    await expect.poll(health, { timeout: QUIET_MS_MAX }).toBe(200)
  })

  it('engine_death, abort_deltas: empty deltas to whoever generates, then what the death is', async () => {
    const client = await befall({ kind: 'engine_death', afterDeltas: 5, abortDeltas: 2 }, 32_000)
    await untilSight(client, 'closed 1012')
    const sights = ['session.created', '7 deltas', 'processing_error', 'closed 1012']
    expect(sightsOf(client)).toEqual(sights)
  })

  it('no_greeting: the socket is open, and everything but the greeting comes', async () => {
    const client = await befall({ kind: 'no_greeting' }, 9000)
    await untilSight(client, '1 deltas')
    expect(sightsOf(client)).toEqual(['1 deltas'])
  })

  it.each([
    ['greeting', []],
    ['update', ['session.created']],
    ['delta', ['session.created', '5 deltas']],
    ['final', ['session.created', `${deltasDue(32_000)} deltas`]],
    ['done', ['session.created', `${deltasTotal(32_000)} deltas`]],
  ] as const)('close: any code, instead of the %s', async (at, sights) => {
    const code = 1011
    const client = await befall({ kind: 'close', code, at, afterDeltas: 5 }, 32_000)
    if (at === 'final') await untilSight(client, `${deltasDue(32_000)} deltas`)
    final(client)
    await untilSight(client, 'closed 1011')
    expect(sightsOf(client)).toEqual([...sights, 'closed 1011'])
    await expect.poll(() => standin.stats.connectionsActive).toBe(0)
  })

  it('error_frame: any code, once, and everything goes on', async () => {
    const fault: Fault = { kind: 'error_frame', code: 'unknown_event', afterDeltas: 5 }
    const client = await befall(fault, 32_000)
    final(client)
    await untilSight(client, 'transcription.done')
    expect(sightsOf(client)).toEqual([
      ...['session.created', '5 deltas', 'unknown_event'],
      ...[`${deltasTotal(32_000) - 5} deltas`, 'transcription.done'],
    ])
  })

  it('refuse_model: the update is answered as for an unknown model', async () => {
    const client = await befall({ kind: 'refuse_model' }, 9000)
    await untilSight(client, 'model_not_validated')
    expect(sightsOf(client)).toEqual([
      ...['session.created', 'model_not_found', 'model_not_validated'],
    ])
  })

  it('drop: 1006 for one session only', async () => {
    const client = await befall({ kind: 'drop', afterDeltas: 5, sessions: [0] }, 32_000)
    await untilSight(client, 'closed 1006')
    const other = await session(32_000)
    await untilSight(other, `${deltasDue(32_000)} deltas`)
  })

  it('stall: no frame any more, not even for final', async () => {
    const client = await befall({ kind: 'stall', afterDeltas: 5 }, 32_000)
    await untilSight(client, '5 deltas')
    final(client)
    await settle(client)
    expect(sightsOf(client)).toEqual(['session.created', '5 deltas'])
  })

  it('processing_error: no done, and the next utterance is whole', async () => {
    const client = await befall({ kind: 'processing_error', afterDeltas: 10 }, 32_000)
    await untilSight(client, 'processing_error')
    client.perform({ send: { type: 'input_audio_buffer.commit' } })
    append(client, 9000)
    await untilSight(client, '1 deltas')
    expect(sightsOf(client)).toEqual([
      ...['session.created', '10 deltas', 'processing_error', '1 deltas'],
    ])
  })

  it('early_done: done while audio still comes', async () => {
    const client = await befall({ kind: 'early_done', afterDeltas: 12 }, 32_000)
    await untilSight(client, 'transcription.done')
    await settle(client)
    expect(sightsOf(client)).toEqual(['session.created', '12 deltas', 'transcription.done'])
  })

  it('no_done: all deltas, no done', async () => {
    const client = await befall({ kind: 'no_done' }, 32_000)
    final(client)
    await untilSight(client, `${deltasTotal(32_000)} deltas`)
    await settle(client)
    expect(sightsOf(client)).toHaveLength(2)
  })

  it('refuse: the upgrade is answered with a status', async () => {
    const client = await befall({ kind: 'refuse', count: 1 }, 32_000)
    expect(sightsOf(client)).toEqual(['refused 503'])
    const other = await session(9000)
    await untilSight(other, '1 deltas')
  })

  it('ack_update: session.updated', async () => {
    const client = await befall({ kind: 'ack_update' }, 9000)
    await untilSight(client, '1 deltas')
    expect(sightsOf(client)).toEqual(['session.created', 'session.updated', '1 deltas'])
  })

  it('no_right_padding: no delta after the last audio, and no text', async () => {
    const client = await befall({ kind: 'no_right_padding' }, 32_000)
    final(client)
    await untilSight(client, 'transcription.done')
    expect(sightsOf(client)).toContain(`${deltasDue(32_000)} deltas`)
    // What ends later than 1.44 s would have its delta after the audio's end.
    const end = client.lines.find(
      (line) => 'recv' in line && line.recv.type === 'transcription.done',
    )
    expect(end).toMatchObject({ recv: { text: ' w0 w1' } })
  })

  it('extra_deltas: more deltas than the audio explains, and a usage that knows nothing of them', async () => {
    const client = await befall({ kind: 'extra_deltas', afterDeltas: 5, more: 2 }, 32_000)
    final(client)
    await untilSight(client, 'transcription.done')
    expect(sightsOf(client)).toEqual([
      ...['session.created', `${deltasTotal(32_000) + 2} deltas`, 'transcription.done'],
    ])
    expect(done(client)).toMatchObject({ completion_tokens: deltasTotal(32_000) })
  })

  it('slow_deltas: one by one, while others are quick, and nothing is lost', async () => {
    const slow = await befall({ kind: 'slow_deltas', everyMs: 20, sessions: [0] }, 32_000)
    final(slow)
    await untilSight(slow, 'session.created')
    const quick = await session(32_000)
    final(quick)
    await untilSight(quick, 'transcription.done')
    expect(sightsOf(slow)).not.toContain('transcription.done')
    await untilSight(slow, 'transcription.done')
    expect(sightsOf(slow)).toEqual(sightsOf(quick))
  })

  it('blank_rut: the words of some deltas are gone', async () => {
    const client = await befall({ kind: 'blank_run', fromDelta: 10, toDelta: 20 }, 48_000)
    final(client)
    await untilSight(client, 'transcription.done')
    const done = client.lines.find(
      (line) => 'recv' in line && line.recv.type === 'transcription.done',
    )
    // Words 1 to 5 end at 0.5 to 2.5 s, at deltas 6, 13, 19, 25 and 31.
    expect(done).toMatchObject({ recv: { text: ' w0 w3 w4 w5' } })
  })

  it('buffer_full and invalid_audio: appends are dropped', async () => {
    const full = await befall({ kind: 'buffer_full', afterAppends: 1, times: 2 }, 9000)
    for (let index = 0; index < 3; index += 1) append(full, 1280)
    await untilSights(full, 'buffer_full', 2)
    await settle(full)
    expect(sightsOf(full).filter((sight) => sight === 'buffer_full')).toHaveLength(2)
    final(full)
    await untilSight(full, 'transcription.done')
    expect(done(full)).toMatchObject({ completion_tokens: deltasTotal(10_280) })

    standin.setFaults([{ kind: 'invalid_audio', afterBytes: 20_000 }])
    const capped = await session(9000)
    for (let index = 0; index < 3; index += 1) append(capped, 1280)
    await untilSights(capped, 'invalid_audio', 3)
    await settle(capped)
    expect(sightsOf(capped).filter((sight) => sight === 'invalid_audio')).toHaveLength(3)
  })

  it('idle_timeout: an error and a close', async () => {
    const client = await befall({ kind: 'idle_timeout', afterMs: 2_000 }, 9000)
    await untilSight(client, 'closed 1000')
    expect(sightsOf(client)).toEqual([
      ...['session.created', '1 deltas', 'idle_timeout', 'closed 1000'],
    ])
  })
})

function done(client: DialogueClient): unknown {
  const frames = client.lines.flatMap((line) => ('recv' in line ? [line.recv] : []))
  return frames.find((frame) => frame.type === 'transcription.done')?.usage
}
