import { describe, expect, it } from 'vitest'
import { type Sensitivity, vadSettings } from '../../../../src/media/vad/vad-settings.js'

const given = { threshold: null, speechMinMs: null, silenceMinMs: null, pauseMinMs: 400 }

describe('hearing', () => {
  it.each<[Sensitivity, number, number]>([
    ['low', 0.65, 400],
    ['medium', 0.5, 250],
    ['high', 0.35, 150],
  ])('%s begins at %f and takes %i ms for speech', (sensitivity, threshold, speechMinMs) => {
    expect(vadSettings({ ...given, sensitivity })).toStrictEqual({
      threshold,
      speechMinMs,
      silenceMinMs: 300,
      pauseMinMs: 400,
    })
  })

  it('lets what is given come before the preset, 0 too', () => {
    const own = { threshold: 0.9, speechMinMs: 0, silenceMinMs: 0, pauseMinMs: 700 }
    expect(vadSettings({ sensitivity: 'high', ...own })).toStrictEqual(own)
    expect(vadSettings({ ...given, sensitivity: 'low', speechMinMs: 80 })).toMatchObject({
      threshold: 0.65,
      speechMinMs: 80,
    })
  })
})
