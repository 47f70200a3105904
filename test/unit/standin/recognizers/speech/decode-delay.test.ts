import { expect, it } from 'vitest'
import { DecodeDelay } from '../../../../../gpu/standin/recognizers/speech/decode-delay.js'

it('tells twice the longest time of the last 64 utterances, from 4 to 24 s', () => {
  const delay = new DecodeDelay()
  expect(delay.boundMs).toBe(4000)
  delay.add(500)
  expect(delay.boundMs).toBe(4000)
  delay.add(5000)
  expect(delay.boundMs).toBe(10_000)
  delay.add(50_000)
  expect(delay.boundMs).toBe(24_000)
  for (let count = 0; count < 64; count += 1) delay.add(3000)
  expect(delay.boundMs).toBe(6000)
})
