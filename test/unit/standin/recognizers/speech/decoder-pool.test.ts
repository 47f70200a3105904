import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  DecoderPool,
  type LostSpeech,
} from '../../../../../gpu/standin/recognizers/speech/decoder-pool.js'
import { DecoderThread } from '../../../../../gpu/standin/recognizers/speech/decoder-thread.js'
import { ConfigError } from '../../../../../src/kernel/errors.js'

const script = fileURLToPath(new URL('../../../../fakes/decoder-script.mjs', import.meta.url))

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-pool-'))
})

afterEach(() => rm(folder, { recursive: true }))

function makePool(options: { threads?: number; waitingMsMax?: number; broken?: string } = {}) {
  const lost: LostSpeech[] = []
  const { threads = 1, waitingMsMax = 60_000, broken } = options
  const startThread = ({ signal }: { signal: AbortSignal }) => {
    return DecoderThread.start({ folder, broken }, { signal, script })
  }
  const pool = new DecoderPool({ startThread, threads, waitingMsMax, onLost: (l) => lost.push(l) })
  const heard = (samples: number, session: object = pool) =>
    new Promise<string | null>((resolve) => {
      const onDecoded = (decoded: { text: string } | null) => resolve(decoded?.text ?? null)
      pool.submit({ session, samples: new Int16Array(samples), onDecoded })
    })
  return { pool, lost, heard }
}

describe('DecoderPool', () => {
  it('decodes one utterance after the other with one thread', async () => {
    const { pool, lost, heard } = makePool()
    await pool.start()
    expect(await Promise.all([heard(160), heard(320)])).toEqual([' w160', ' w320'])
    await pool.close()
    expect(lost).toEqual([])
    expect(await readFile(join(folder, 'starts'), 'utf8')).toBe('started\n')
  })

  it('tries an utterance again over which a thread ended', async () => {
    const { pool, lost, heard } = makePool()
    await pool.start()
    expect(await Promise.all([heard(668), heard(160)])).toEqual([' w668', ' w160'])
    await pool.close()
    expect(lost).toEqual([])
  })

  it('gives up an utterance over which two failed, and goes on with the next', async () => {
    const { pool, lost, heard } = makePool()
    await pool.start()
    expect(await Promise.all([heard(666), heard(160)])).toEqual([null, ' w160'])
    await pool.close()
    expect(lost).toEqual([{ reason: 'decoder_failed', audioMs: 666 / 16 }])
  })

  it('gives up what is more than may wait', async () => {
    const { pool, lost, heard } = makePool({ waitingMsMax: 30 })
    await pool.start()
    // The first is taken at once, the second waits, the third is too much.
    expect(await Promise.all([heard(320), heard(321), heard(322)])).toEqual([
      ' w320',
      ' w321',
      null,
    ])
    await pool.close()
    expect(lost).toEqual([{ reason: 'queue_full', audioMs: 322 / 16 }])
  })

  it('forgets what waits of a session that leaves', async () => {
    const { pool, heard } = makePool()
    await pool.start()
    const [gone, other] = [{}, {}]
    const answers = vi.fn()
    void heard(70_000, other) // takes half a second
    void heard(160, gone).then(answers)
    const after = heard(320, other)
    pool.leave(gone)
    expect(await after).toBe(' w320')
    await pool.close()
    expect(answers).not.toHaveBeenCalled()
  })

  it('closes while its threads are busy and others wait', async () => {
    const { pool, heard } = makePool({ threads: 2 })
    await pool.start()
    const answers = vi.fn()
    for (const samples of [670, 670, 160]) void heard(samples).then(answers)
    await vi.waitFor(async () => {
      expect((await readFile(join(folder, 'starts'), 'utf8')).match(/asleep/g)).toHaveLength(2)
    })
    await pool.close()
    expect(answers).not.toHaveBeenCalled()
  })

  it('says in one sentence why the model can not be loaded', async () => {
    const { pool } = makePool({ threads: 2, broken: 'no such module' })
    const start = pool.start()
    await expect(start).rejects.toThrow(ConfigError)
    await expect(start).rejects.toThrow(
      "The speech recognizer can't be used (no such module): run 'npm ci' again.",
    )
  })
})
