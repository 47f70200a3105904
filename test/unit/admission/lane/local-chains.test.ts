import { expect, it } from 'vitest'
import { LocalChains } from '../../../../src/admission/lane/local-chains.js'

const chainAt = (chainId: string, ...engines: string[]) => ({
  chainId,
  isOver: false,
  isAt: (engine: string) => engines.includes(engine),
})

it('knows a chain where it is, until it is over', () => {
  const chains = new LocalChains()
  const chain = chainAt('a/0', 'one', 'two')
  chains.add(chain)
  expect(['one', 'two', 'three'].map((engine) => chains.has('a/0', engine))).toEqual([
    true,
    true,
    false,
  ])
  expect(chains.has('b/0', 'one')).toBe(false)
  chain.isOver = true
  expect(chains.has('a/0', 'one')).toBe(false)
})

it('takes the newer chain of a lane for the one that counts', () => {
  const chains = new LocalChains()
  const older = chainAt('a/0', 'one')
  chains.add(older)
  older.isOver = true
  chains.add(chainAt('a/0', 'two'))
  expect([chains.has('a/0', 'one'), chains.has('a/0', 'two')]).toEqual([false, true])
})
