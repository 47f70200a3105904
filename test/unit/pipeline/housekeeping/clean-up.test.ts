import { describe, expect, it } from 'vitest'
import { StopRequested, UpstreamError } from '../../../../src/kernel/errors.js'
import {
  type CleanedLeftover,
  cleanUp,
  type LeftoverSource,
} from '../../../../src/pipeline/housekeeping/clean-up.js'
import type { Leftover } from '../../../../src/pipeline/housekeeping/housekeeping.js'

const { signal } = new AbortController()
const away = new UpstreamError('storage_unavailable', 'It is away.')

function leftover(name: string, items = 1): Leftover {
  return { kind: 'audio', name, why: 'test', items, bytes: 10 * items, ageMs: 0 }
}

/** Yields leftovers, and notes which were removed; names that begin with `!` fail. */
function sourceOf(all: readonly Leftover[], removed: string[], end?: unknown): LeftoverSource {
  return {
    async *find() {
      yield* all
      if (end) throw end
    },
    async remove({ name }) {
      if (name.startsWith('!')) throw away
      removed.push(name)
    },
  }
}

async function run(sources: readonly LeftoverSource[], dryRun = false, itemsMax = 100) {
  const seen: CleanedLeftover[] = []
  const onLeftover = (each: CleanedLeftover) => void seen.push(each)
  const report = await cleanUp(sources, { dryRun, itemsMax, onLeftover, signal })
  return { report, seen: seen.map(({ name, outcome, code }) => [name, outcome, code]) }
}

describe('a run', () => {
  it('that is dry removes nothing and tells all', async () => {
    const removed: string[] = []
    const { report, seen } = await run([sourceOf([leftover('a'), leftover('b', 3)], removed)], true)
    expect(removed).toEqual([])
    expect(seen).toEqual([
      ['a', 'found', null],
      ['b', 'found', null],
    ])
    expect(report.sums.found).toEqual({ leftovers: 2, items: 4, bytes: 40 })
  })

  it('goes on after what it can’t remove, and after a place that it can’t look through', async () => {
    const removed: string[] = []
    const first = sourceOf([leftover('a'), leftover('!b'), leftover('c')], removed, away)
    const { report, seen } = await run([first, sourceOf([leftover('d')], removed)])
    expect(removed).toEqual(['a', 'c', 'd'])
    expect(seen[1]).toEqual(['!b', 'failed', 'storage_unavailable'])
    expect(report.unseen).toEqual(['storage_unavailable'])
    expect(report.removed.get('audio')).toEqual({ leftovers: 3, items: 3, bytes: 30 })
    expect(report.sums.failed.items).toBe(1)
  })

  it('removes no more than it may, and yet something of any size', async () => {
    const removed: string[] = []
    const all = [leftover('large', 9), leftover('a'), leftover('!b')]
    const { report } = await run([sourceOf(all, removed)], false, 5)
    expect(removed).toEqual(['large'])
    expect(report.sums.left.items).toBe(2)
    await run([sourceOf(all.slice(1), removed)], false, 1)
    expect(removed).toEqual(['large', 'a'])
  })

  it('ends with a bug, and with a stop', async () => {
    await expect(run([sourceOf([], [], new TypeError('bug'))])).rejects.toThrow('bug')
    const controller = new AbortController()
    const reason = new StopRequested('canceled', 'Stop.')
    const source = sourceOf([leftover('a'), leftover('b')], [])
    const onLeftover = () => controller.abort(reason)
    const options = { dryRun: true, itemsMax: 9, onLeftover, signal: controller.signal }
    await expect(cleanUp([source], options)).rejects.toBe(reason)
  })
})
