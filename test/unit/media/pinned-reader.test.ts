import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Clock } from '../../../src/kernel/clock.js'
import { InputError, UpstreamError } from '../../../src/kernel/errors.js'
import { PinnedReader } from '../../../src/media/pinned-reader.js'
import { bufferSource, faultySource, type ReadFault } from '../../fakes/media-sources.js'

const never = new AbortController().signal
const bytes = Buffer.from(Array.from({ length: 10_000 }, (_, index) => (index * 7) % 251))
const sha256 = createHash('sha256').update(bytes).digest('hex')
const broken = new Error('ECONNRESET')

/** Sleeps end at once; their lengths are kept. */
function instantClock(): Clock & { sleptMs: number[] } {
  let nowMs = 0
  const sleptMs: number[] = []
  return {
    sleptMs,
    monotonicMs: () => nowMs,
    wallMs: () => nowMs,
    sleepUntil: async (dueMs) => {
      sleptMs.push(dueMs - nowMs)
      nowMs = dueMs
    },
  }
}

function readerOf(faults: ReadFault[]) {
  const clock = instantClock()
  return { clock, reader: new PinnedReader(faultySource(bufferSource(bytes), faults), { clock }) }
}

describe('PinnedReader', () => {
  it('goes on from the byte it reached, whether an answer broke or just ended', async () => {
    const { reader, clock } = readerOf([
      { afterBytes: 3_500, error: broken },
      { afterBytes: 10, error: null },
      { afterBytes: 0, error: broken },
    ])
    const range = { startByte: 100, endByte: 9_000 }
    expect(await reader.readAll(range, { signal: never })).toEqual(bytes.subarray(100, 9_000))
    expect(reader.bytesRead).toBe(8_900)
    expect(reader.failure).toBeNull()
    expect(clock.sleptMs).toEqual([100, 100, 200])
  })

  it('gives up after five retries without a byte, and stays failed', async () => {
    const faults = Array.from({ length: 6 }, () => ({ afterBytes: 0, error: broken }))
    const { reader } = readerOf(faults)
    const all = { startByte: 0, endByte: bytes.length }
    const failed = reader.readAll(all, { signal: never })
    await expect(failed).rejects.toBeInstanceOf(UpstreamError)
    await expect(failed).rejects.toThrow('Reading buffer.bin stopped at byte 0 of 10000')
    await expect(reader.readAll(all, { signal: never })).rejects.toBe(reader.failure)
  })

  it('passes on at once what retrying cannot mend', async () => {
    const changed = new InputError('media_changed', 'buffer.bin was replaced while it was read.')
    const { reader, clock } = readerOf([{ afterBytes: 50, error: changed }])
    const all = { startByte: 0, endByte: bytes.length }
    await expect(reader.readAll(all, { signal: never })).rejects.toBe(changed)
    expect(clock.sleptMs).toEqual([])
  })

  it('hashes the whole content once, in whatever order it was read', async () => {
    const { reader } = readerOf([])
    for (const [startByte, endByte] of [
      [9_000, 10_000],
      [0, 64],
      [0, 3_000],
      [2_999, 3_001],
      [5_000, 6_000],
    ] as const) {
      await reader.readAll({ startByte, endByte }, { signal: never })
    }
    expect(await reader.sha256({ signal: never })).toBe(sha256)
  })

  it('stops with the reason of its signal', async () => {
    const stop = new AbortController()
    const { reader } = readerOf([])
    const chunks = reader.read({ startByte: 0, endByte: bytes.length }, { signal: stop.signal })
    await chunks.next()
    stop.abort(new Error('enough'))
    await expect(chunks.next()).rejects.toThrow('enough')
    expect(reader.failure).toBeNull()
  })
})
