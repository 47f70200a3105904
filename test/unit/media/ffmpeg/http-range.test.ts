import { describe, expect, it } from 'vitest'
import { rangeAnswer } from '../../../../src/media/ffmpeg/http-range.js'

describe('rangeAnswer of a body of 100 bytes', () => {
  it.each([
    ['bytes=0-', 0, 100],
    ['bytes=0-0', 0, 1],
    ['bytes=10-19', 10, 20],
    ['bytes=90-1000', 90, 100],
    ['bytes=-10', 90, 100],
    ['bytes=-1000', 0, 100],
  ])('%s is the part from %i to %i', (header, startByte, endByte) => {
    expect(rangeAnswer(header, 100)).toEqual({ kind: 'part', startByte, endByte })
  })

  it.each(['bytes=100-', 'bytes=100-200', 'bytes=-0'])('%s is unsatisfiable', (header) => {
    expect(rangeAnswer(header, 100)).toEqual({ kind: 'unsatisfiable' })
  })

  it.each([undefined, '', 'bytes=-', 'bytes=5-2', 'items=0-1', 'bytes=0-1,5-6', 'bytes=a-b'])(
    '%s is answered with the whole body',
    (header) => {
      expect(rangeAnswer(header, 100)).toEqual({ kind: 'whole' })
    },
  )
})
