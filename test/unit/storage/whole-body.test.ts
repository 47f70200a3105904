import { describe, expect, it } from 'vitest'
import { InputError } from '../../../src/kernel/errors.js'
import { readWholeBody } from '../../../src/storage/object-body.js'

function objectOf(...chunks: string[]) {
  let isReleased = false
  async function* read() {
    try {
      for (const chunk of chunks) yield Buffer.from(chunk)
    } finally {
      isReleased = true
    }
  }
  const contentBytes = chunks.join('').length
  return { object: { body: read(), contentBytes }, isReleased: () => isReleased }
}

describe('an object that is read whole', () => {
  it('is all its chunks', async () => {
    const { object } = objectOf('ab', 'c', 'def')
    expect((await readWholeBody(object, { key: 'k', bytesMax: 6 })).toString()).toBe('abcdef')
    const empty = await readWholeBody(objectOf().object, { key: 'k', bytesMax: 6 })
    expect(empty).toHaveLength(0)
  })

  it('is refused above its limit, and its connection is released', async () => {
    const { object, isReleased } = objectOf('ab', 'c')
    const read = readWholeBody(object, { key: 'jobs/x/a1/y', bytesMax: 2 })
    await expect(read).rejects.toThrow('jobs/x/a1/y is larger than 2 bytes.')
    await expect(read).rejects.toBeInstanceOf(InputError)
    expect(isReleased()).toBe(true)
  })
})
