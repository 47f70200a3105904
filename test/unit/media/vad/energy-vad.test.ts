import { describe, expect, it } from 'vitest'
import { EnergyVad, energyMask } from '../../../../src/media/vad/energy-vad.js'

const level = (dbfs: number, windows: number) => new Array<number>(windows).fill(255 + 2 * dbfs)
const share = (mask: Uint8Array, from: number, to: number) =>
  mask.subarray(from, to).reduce((sum, value) => sum + value, 0) / (to - from)

describe('energyMask', () => {
  it('hears what rises above the noise, with a hangover of 6 windows', () => {
    const mask = energyMask(
      Uint8Array.from([...level(-50, 60), ...level(-25, 30), ...level(-50, 60)]),
    )
    expect(share(mask, 0, 60)).toBe(0)
    expect(share(mask, 60, 95)).toBe(1)
    expect(share(mask, 96, 150)).toBe(0)
  })

  it('hears nothing in steady noise, in silence and below -60 dBFS', () => {
    for (const dbfs of [-20, -50, -127]) {
      expect(share(energyMask(Uint8Array.from(level(dbfs, 500))), 0, 500)).toBe(0)
    }
    const whisper = [...level(-120, 100), ...level(-65, 50)]
    expect(share(energyMask(Uint8Array.from(whisper)), 0, 150)).toBe(0)
  })

  it('follows noise that changes', () => {
    const quiet = [...level(-60, 700), ...level(-40, 40)]
    const loud = [...level(-30, 1400), ...level(-10, 40), ...level(-30, 700)]
    const mask = energyMask(Uint8Array.from([...quiet, ...level(-60, 700), ...loud]))
    expect(share(mask, 700, 740)).toBe(1)
    expect(share(mask, 2000, 2700)).toBe(0)
    expect(share(mask, 2840, 2880)).toBe(1)
  })
})

describe('EnergyVad', () => {
  it('gives one byte for every 512 samples, however they come', () => {
    const samples = new Int16Array(512 * 150 + 100)
    for (let index = 512 * 60; index < 512 * 90; index += 1) {
      samples[index] = Math.round(8_000 * Math.sin(index / 5))
    }
    const whole = new EnergyVad()
    whole.push(samples)
    const parts = new EnergyVad()
    for (let at = 0; at < samples.length; at += 777) parts.push(samples.subarray(at, at + 777))
    const mask = whole.finish()
    expect(mask).toEqual(parts.finish())
    expect(mask.length).toBe(151)
    expect(mask.indexOf(1)).toBe(60)
    expect(mask.lastIndexOf(1)).toBe(94)
  })
})
