import { describe, expect, it } from 'vitest'
import { Mailbox } from '../../../src/kernel/mailbox.js'
import { settle } from '../../fakes/step-clock.js'

async function drain<T>(mailbox: Mailbox<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of mailbox) items.push(item)
  return items
}

describe('Mailbox', () => {
  it('hands out everything in order, also what comes while the consumer waits', async () => {
    const mailbox = new Mailbox<number>({ itemsMax: 10 })
    const consumed = drain(mailbox)
    for (let index = 0; index < 1000; index += 1) {
      mailbox.put(index)
      if (index % 7 === 0) await settle()
    }
    mailbox.end()
    mailbox.put(-1)
    expect(await consumed).toEqual(Array.from({ length: 1000 }, (_, index) => index))
  })

  it('tells the producer once that it is full, and once that half is free again', async () => {
    const calls: string[] = []
    const mailbox = new Mailbox<number>({
      itemsMax: 4,
      onFull: () => calls.push('full'),
      onDrained: () => calls.push(`drained at ${mailbox.length}`),
    })
    for (let index = 0; index < 6; index += 1) mailbox.put(index)
    mailbox.end()
    expect(calls).toEqual(['full'])
    expect(await drain(mailbox)).toHaveLength(6)
    expect(calls).toEqual(['full', 'drained at 2'])
  })

  it('counts bytes, too, where items have a size', async () => {
    const calls: string[] = []
    const mailbox = new Mailbox<string>({
      itemsMax: 100,
      size: { bytesMax: 10, bytesOf: (text) => text.length },
      onFull: () => calls.push('full'),
      onDrained: () => calls.push(`drained at ${mailbox.bytes}`),
    })
    for (const text of ['aaaa', 'bbb', 'cccc', 'd']) mailbox.put(text)
    expect([mailbox.bytes, calls]).toEqual([12, ['full']])
    mailbox.end()
    expect(await drain(mailbox)).toEqual(['aaaa', 'bbb', 'cccc', 'd'])
    expect([mailbox.bytes, calls]).toEqual([0, ['full', 'drained at 5']])
  })
})
