import { describe, expect, it } from 'vitest'
import { SessionTurns } from '../../../../../gpu/standin/recognizers/speech/session-turns.js'

const NEVER = new AbortController().signal

function works(session: object, names: readonly string[], audioMs = 1000) {
  return names.map((name) => ({ session, audioMs, name }))
}

function turnsOf(lists: readonly ReturnType<typeof works>[], audioMsMax = 60_000) {
  const turns = new SessionTurns<ReturnType<typeof works>[number]>({ audioMsMax })
  const taken = lists.flat().map((work) => turns.offer(work))
  return { turns, taken }
}

async function takeAll(turns: ReturnType<typeof turnsOf>['turns'], count: number) {
  const names: string[] = []
  for (let index = 0; index < count; index++) names.push((await turns.take({ signal: NEVER })).name)
  return names
}

describe('SessionTurns', () => {
  it('serves sessions in turns and each in its order', async () => {
    const { turns } = turnsOf([works({}, ['a1', 'a2', 'a3']), works({}, ['b1']), works({}, ['c1'])])
    expect(await takeAll(turns, 5)).toEqual(['a1', 'b1', 'c1', 'a2', 'a3'])
  })

  it('refuses what is more than it may hold, until some was taken', async () => {
    const session = {}
    const { turns, taken } = turnsOf([works(session, ['a', 'b', 'c'])], 2500)
    expect(taken).toEqual([true, true, false])
    expect(turns.audioMs).toBe(2000)
    await turns.take({ signal: NEVER })
    expect(turns.offer({ session, audioMs: 1500, name: 'd' })).toBe(true)
    expect(await takeAll(turns, 2)).toEqual(['b', 'd'])
    expect(turns.audioMs).toBe(0)
  })

  it('forgets a session that has left', async () => {
    const leaver = {}
    const { turns } = turnsOf([works(leaver, ['a1', 'a2']), works({}, ['b1'])])
    turns.forget(leaver)
    expect(turns.audioMs).toBe(1000)
    expect(await takeAll(turns, 1)).toEqual(['b1'])
  })

  it('hands work to those who wait, first come first served, and to none who has left', async () => {
    const { turns } = turnsOf([])
    const leaving = new AbortController()
    const left = turns.take(leaving)
    const first = turns.take({ signal: NEVER })
    const second = turns.take({ signal: NEVER })
    leaving.abort(new Error('left'))
    for (const work of works({}, ['a', 'b'])) turns.offer(work)
    await expect(left).rejects.toThrow('left')
    expect([(await first).name, (await second).name]).toEqual(['a', 'b'])
    await expect(turns.take(leaving)).rejects.toThrow('left')
  })
})
