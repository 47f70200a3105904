import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { ConfigError } from '../../src/kernel/errors.js'
import { openVad } from '../../src/media/vad/open-vad.js'
import { speechMap } from '../../src/media/vad/speech-map.js'
import type { Vad } from '../../src/media/vad/vad.js'
import {
  DEFAULT_BOUNDS,
  type MediaWorkbench,
  never,
  openWorkbench,
  referencePcm,
} from '../fakes/media-workbench.js'

// ffmpeg and the model share the machine with everything else that is tested.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const SENTENCE = 'we have to talk about the budget of the next year'
const said = ['-f', 'lavfi', '-i', `flite=text='${SENTENCE}':voice=rms`]

let bench: MediaWorkbench
let silero: Vad
/** Two sentences, each after a pause of 2 s, and 2 s at the end; in pink noise of -48 dB. */
let samples: Int16Array
/** Where speech truly is, in ms. */
let truth: (readonly [number, number])[]

beforeAll(async () => {
  bench = await openWorkbench()
  silero = await openVad({ method: 'silero', threshold: 0.5 }, { signal: never })
  const trim = 'silenceremove=start_periods=1:start_threshold=-45dB'
  const both = `${trim},areverse,${trim},areverse`
  const once = await bench.make('once.wav', ...said, '-af', `aresample=16000,${both}`)
  const speech = await referencePcm(once, 1)
  const pause = Buffer.alloc(2 * 32_000)
  const clean = Buffer.concat([pause, speech, pause, speech, pause])
  const spokenMs = speech.length / 32
  truth = [
    [2_000, 2_000 + spokenMs],
    [4_000 + spokenMs, 4_000 + 2 * spokenMs],
  ]
  const raw = ['-f', 's16le', '-ar', '16000', '-ac', '1', '-i', await bench.write('c.raw', clean)]
  const noise = ['-f', 'lavfi', '-i', 'anoisesrc=c=pink:r=16000:a=0.01:seed=7']
  const mix = ['-filter_complex', 'amix=inputs=2:duration=first:normalize=0']
  const pcm = await referencePcm(await bench.make('said.wav', ...raw, ...noise, ...mix), 1)
  samples = new Int16Array(pcm.buffer, pcm.byteOffset, pcm.length / 2)
})
afterAll(async () => {
  await silero[Symbol.asyncDispose]()
  await bench[Symbol.asyncDispose]()
})

async function maskOf(vad: Vad, chunkSamples = 10_000): Promise<Uint8Array> {
  using lane = vad.openLane()
  for (let at = 0; at < samples.length; at += chunkSamples) {
    await lane.push(samples.slice(at, at + chunkSamples), { signal: never })
  }
  return await lane.finish({ signal: never })
}

function expectTruth(mask: Uint8Array, toleranceMs: number) {
  expect(mask.length).toBe(Math.ceil(samples.length / 512))
  const { segmentsMs, pausesMs } = speechMap(mask, samples.length, DEFAULT_BOUNDS.speech)
  expect(segmentsMs).toHaveLength(2)
  expect(pausesMs).toHaveLength(3)
  for (const [index, [from, to]] of truth.entries()) {
    expect(Math.abs((segmentsMs[index]?.[0] ?? 0) - from)).toBeLessThanOrEqual(toleranceMs)
    expect(Math.abs((segmentsMs[index]?.[1] ?? 0) - to)).toBeLessThanOrEqual(toleranceMs)
  }
}

describe('openVad', () => {
  it('hears speech in noise with Silero, out of a worker thread', async () => {
    expect(silero.method).toBe('silero-v6')
    expectTruth(await maskOf(silero), 200)
  })

  it('gives every lane the same answer, one after the other and side by side', async () => {
    const first = await maskOf(silero)
    const others = await Promise.all([maskOf(silero, 511), maskOf(silero, 40_000), maskOf(silero)])
    for (const mask of [...others, await maskOf(silero)]) expect(mask).toEqual(first)
  })

  it('hears it by energy as well, where that is asked for', async () => {
    await using energy = await openVad({ method: 'energy', threshold: 0.5 }, { signal: never })
    expect(energy.method).toBe('energy')
    expectTruth(await maskOf(energy), 300)
  })

  it('prefers Silero by itself', async () => {
    await using vad = await openVad({ method: 'auto', threshold: 0.5 }, { signal: never })
    expect(vad).toMatchObject({ method: 'silero-v6', fallbackReason: null })
  })

  it('falls back to energy when the model cannot be loaded, unless it is forced', async () => {
    const modelPath = await bench.write('broken.onnx', 'a model that was not downloaded whole')
    const options = { threshold: 0.5, modelPath }
    const forced = openVad({ method: 'silero', ...options }, { signal: never })
    await expect(forced).rejects.toBeInstanceOf(ConfigError)
    await expect(forced).rejects.toThrow(/vad\.method/)
    await using vad = await openVad({ method: 'auto', ...options }, { signal: never })
    expect(vad.method).toBe('energy')
    expect(vad.fallbackReason).toContain('broken.onnx is not the model')
    const gone = { method: 'auto', threshold: 0.5, modelPath: '/nowhere.onnx' } as const
    await using other = await openVad(gone, { signal: never })
    expect(other.fallbackReason).toContain('ENOENT')
  })

  it('waits while the thread is behind, and stops with the signal', async () => {
    using lane = silero.openLane()
    const stop = new AbortController()
    const push = lane.push(new Int16Array(16_384 * 40), { signal: stop.signal })
    stop.abort(new Error('stopped by the test'))
    await expect(push).rejects.toThrow('stopped by the test')
    expectTruth(await maskOf(silero), 200)
  })

  it('fails its lanes when it is closed', async () => {
    const vad = await openVad({ method: 'silero', threshold: 0.5 }, { signal: never })
    using lane = vad.openLane()
    await lane.push(new Int16Array(20_000), { signal: never })
    const finished = lane.finish({ signal: never })
    await Promise.all([
      vad[Symbol.asyncDispose](),
      expect(finished).rejects.toMatchObject({ code: 'canceled' }),
    ])
  })
})
