import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PcmLanes } from '../../../src/media/pcm-lanes.js'
import { PcmMeter } from '../../../src/media/pcm-meter.js'

describe('PcmLanes', () => {
  it('gives every lane its own samples, wherever the chunks are cut', () => {
    const rows = fc.array(fc.integer({ min: -32_768, max: 32_767 }), { maxLength: 60 })
    const cuts = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), rows, cuts, (lanes, values, sizes) => {
        const samples = values.slice(0, values.length - (values.length % lanes))
        const pcm = Buffer.alloc(samples.length * 2)
        samples.forEach((value, index) => {
          pcm.writeInt16LE(value, index * 2)
        })
        const apart = new PcmLanes(lanes)
        const heard = Array.from({ length: lanes }, () => [] as number[])
        for (let at = 0, turn = 0; at < pcm.length; turn += 1) {
          const size = (sizes[turn % sizes.length] ?? 0) + (turn % 2)
          const parts = apart.push(pcm.subarray(at, at + size))
          expect(new Set(parts.map((part) => part.length)).size).toBe(1)
          for (const [lane, part] of parts.entries()) heard[lane]?.push(...part)
          at += size
        }
        for (let lane = 0; lane < lanes; lane += 1) {
          expect(heard[lane]).toEqual(samples.filter((_, index) => index % lanes === lane))
        }
      }),
    )
  })
})

describe('PcmMeter', () => {
  it('measures level and 20 peaks a second, however the samples come', () => {
    const pcm = Int16Array.from({ length: 16_000 + 100 }, (_, at) => (at % 2 ? 16_384 : -16_384))
    pcm[805] = -32_768
    const meter = new PcmMeter()
    for (let at = 0; at < pcm.length; at += 333) meter.push(pcm.subarray(at, at + 333))
    const { samples, levelDbfs, peaks } = meter.finish()
    expect(samples).toBe(16_100)
    expect(levelDbfs).toBeCloseTo(-6, 0)
    expect([...peaks]).toEqual([128, 255, ...new Array<number>(19).fill(128)])
  })

  it('has no level for digital silence and none for nothing', () => {
    const silent = new PcmMeter()
    silent.push(new Int16Array(800))
    expect(silent.finish()).toEqual({ samples: 800, levelDbfs: null, peaks: new Uint8Array(1) })
    expect(new PcmMeter().finish().peaks.length).toBe(0)
  })

  it('keeps the peaks of hours', () => {
    const meter = new PcmMeter()
    for (let minute = 0; minute < 300; minute += 1)
      meter.push(new Int16Array(960_000 / 60).fill(129))
    expect(meter.finish().peaks).toEqual(new Uint8Array(6_000).fill(1))
  })
})
