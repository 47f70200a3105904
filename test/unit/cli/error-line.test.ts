import { expect, it } from 'vitest'
import { errorLine } from '../../../src/cli/error-line.js'

it('says the name of a recording once', () => {
  const code = 'input_not_found'
  expect(errorLine('a.mp3', { code, detail: 'There is no file or folder a.mp3; check it.' })).toBe(
    'There is no file or folder a.mp3; check it. [input_not_found]',
  )
  expect(errorLine('a.mp3', { code, detail: 'It is gone.' })).toBe(
    'a.mp3: It is gone. [input_not_found]',
  )
})

it('keeps odd names on one line', () => {
  expect(errorLine('a\nb', { code: 'internal', detail: 'a\nb broke.' })).not.toContain('\n')
})
