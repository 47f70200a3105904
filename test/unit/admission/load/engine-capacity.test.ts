import { describe, expect, it } from 'vitest'
import {
  alwaysOnSessions,
  type CapacityFacts,
  engineCapacity,
  legFramesByContext,
  requireContext,
} from '../../../../src/admission/load/engine-capacity.js'
import { ConfigError } from '../../../../src/kernel/errors.js'
import type { KvModel } from '../../../../src/model/kv-model.js'
import { LegCurve } from '../../../../src/model/leg-curve.js'

const facts = (changes: Partial<CapacityFacts> = {}): CapacityFacts => ({
  engine: 'ws://gpu:8000/v1/realtime',
  kvBlocksTotal: null,
  gpu: null,
  safetyFactor: 1,
  liveShare: 0,
  ...changes,
})
const L40S = { name: 'l40s', kvBlocks: 1728 }

describe('the capacity of an engine', () => {
  it.each([
    ['the server tells', { kvBlocksTotal: 40 }, 39, 39, 0],
    ['both tell: the server is right', { kvBlocksTotal: 1001, gpu: L40S }, 1000, 1000, 0],
    ['only the profile tells', { gpu: L40S }, 1728, 1728, 0],
    ['with a safety factor', { gpu: L40S, safetyFactor: 0.96 }, 1728, 1658, 0],
    ['with a live share', { kvBlocksTotal: 101, safetyFactor: 0.9, liveShare: 0.25 }, 100, 68, 22],
  ])('%s', (_, changes, usable, batch, live) => {
    expect(engineCapacity(facts(changes))).toMatchObject({
      kvBlocksUsable: usable,
      kvBlocksBatch: batch,
      kvBlocksLive: live,
    })
  })

  it('is explained', () => {
    const server = facts({ kvBlocksTotal: 101, safetyFactor: 0.9, liveShare: 0.25 })
    expect(engineCapacity(server).reason).toBe(
      '100 KV blocks (told by the server), 90 given out, 22 of them kept for live sessions',
    )
    expect(engineCapacity(facts({ gpu: L40S })).reason).toBe(
      '1728 KV blocks (by the GPU profile l40s), 1728 given out',
    )
  })

  it('that nobody tells is an error which names engine and setting', () => {
    const act = () => engineCapacity(facts())
    expect(act).toThrow(ConfigError)
    expect(act).toThrow(/ws:\/\/gpu:8000\/v1\/realtime .*engine\.gpu \(NIGHTSCRIBE_ENGINE_GPU\)/)
  })
})

describe('the context of an engine', () => {
  it('carries prompt, audio and tail in 0.8 of it', () => {
    expect(legFramesByContext(2048)).toBe(1638 - 39 - 17)
    expect(legFramesByContext(16_384)).toBe(13_107 - 56)
    expect(legFramesByContext(60)).toBeLessThan(0)
  })

  it.each([383, 384, 8192, null])('of %s tokens carries legs of 20 s', (maxModelLen) => {
    // 250 frames and 56 tokens around them are 306, which is 0.8 of 382.5.
    expect(() => requireContext('ws://gpu', { maxModelLen, floorMs: 20_000 })).not.toThrow()
  })

  it.each([
    [382, 'at most 19920 ms of audio'],
    [100, 'at most 1920 ms of audio'],
    [60, 'no audio'],
  ])('of %s tokens does not, and says what would', (maxModelLen, most) => {
    const act = () => requireContext('ws://gpu', { maxModelLen, floorMs: 20_000 })
    expect(act).toThrow(ConfigError)
    expect(act).toThrow(
      `The engine at ws://gpu has a max_model_len of ${maxModelLen} tokens, enough for ${most} in a session; start it with --max-model-len 383 or more, or lower legs.floorMs (20000).`,
    )
  })
})

describe('how many endless recordings fit, about', () => {
  const model = (encoderWindowTokens: number): KvModel => ({
    blockTokens: 16,
    encoderWindowTokens,
    decoderWindowTokens: 8192,
    decoderBlockRatio: 8,
  })
  const curve = new LegCurve(model(189))
  const older = new LegCurve(model(750))

  it.each([
    ['L4', 448, 5, 4],
    ['L40S', 1728, 22, 15],
    ['80 GB', 3712, 47, 32],
    ['H200', 7232, 92, 64],
  ])('never rotated on a %s', (_, blocks, sessions, sessionsBefore025) => {
    // Whole blocks at their peak, so up to one session below the estimates that leave a block out.
    const now = alwaysOnSessions(curve, blocks, null)
    expect(sessions - now).toBeGreaterThanOrEqual(0)
    expect(sessions - now).toBeLessThanOrEqual(1)
    const before = alwaysOnSessions(older, blocks, null)
    expect(sessionsBefore025 - before).toBeGreaterThanOrEqual(0)
    expect(sessionsBefore025 - before).toBeLessThanOrEqual(1)
  })

  it.each([
    // The longest ideal leg for a number of sessions, by hand from the law in the reference.
    ['L40S', 1728, 77_000, 100],
    ['L40S', 1728, 269_000, 64],
    ['80 GB', 3712, 475_000, 100],
    ['80 GB', 3712, 101_000, 200],
    ['H200', 7232, 455_000, 200],
  ])('on a %s, %s blocks, in legs of %s ms: %s', (_, blocks, legMs, sessions) => {
    const found = alwaysOnSessions(curve, blocks, legMs)
    expect(Math.abs(found / sessions - 1)).toBeLessThan(0.03)
  })

  it('are fewer the longer their legs are', () => {
    const counts = [20, 60, 120, 300, 600, 1200].map((s) => alwaysOnSessions(curve, 7232, s * 1000))
    expect(counts).toEqual([...counts].sort((a, b) => b - a))
    expect(counts.at(-1)).toBeGreaterThanOrEqual(alwaysOnSessions(curve, 7232, null))
  })
})
