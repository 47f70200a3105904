import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isSafeToTake } from '../../../../src/admission/ledger/safe-state.js'
import { chainOf, ledgerOf, legOf, planOf } from '../plans.js'

const { curve } = planOf()
const planWith = (kvBlocks: number) => planOf({ limits: { kvBlocks } })

/** Where a session is, and how long its leg is. */
interface Position {
  sent: number
  frames: number
}

const positions = fc
  .record({ frames: fc.integer({ min: 1, max: 1_500 }), share: fc.double({ min: 0, max: 1 }) })
  .map(({ frames, share }): Position => ({ frames, sent: Math.floor(share * frames) }))
  .filter(({ sent, frames }) => sent < frames)

/** All orders of some things. */
function ordersOf<T>(things: readonly T[]): T[][] {
  if (things.length === 0) return [[]]
  return things.flatMap((first, at) =>
    ordersOf(things.filter((_, index) => index !== at)).map((rest) => [first, ...rest]),
  )
}

/** Whether all can be carried to their ends one after the other in some order, none giving up. */
function canAllEnd(kvBlocks: number, sessions: readonly Position[]): boolean {
  const heldBy = ({ sent, frames }: Position) =>
    sent >= frames ? curve.peakBlocks(frames) : curve.blocksAfter(sent)
  const held = sessions.reduce((sum, session) => sum + heldBy(session), 0)
  return ordersOf(sessions).some((order) => {
    let free = kvBlocks - held
    return order.every((session) => {
      const more = curve.peakBlocks(session.frames) - heldBy(session)
      if (more > free) return false
      free += heldBy(session)
      return true
    })
  })
}

/** Sessions that all wait before a frame; the first one asks for its. */
function ledgerOfWaiting(sessions: readonly Position[]) {
  const chains = sessions.map(({ sent, frames }, at) =>
    chainOf(`${at}/0`, [legOf({ index: 3, frames, stoppedFrame: sent })]),
  )
  return ledgerOf(...chains)
}

describe('a lease that asks for a block', () => {
  it('may take it if and only if all can end in some order after that', () => {
    let [granted, denied] = [0, 0]
    fc.assert(
      fc.property(
        fc.array(positions, { minLength: 1, maxLength: 5 }),
        fc.double({ min: 0.5, max: 1.2, noNaN: true }),
        (sessions, tightness) => {
          const [asking, ...others] = sessions as [Position, ...Position[]]
          const peaks = sessions.map(({ frames }) => curve.peakBlocks(frames))
          const kvBlocks = Math.floor(tightness * peaks.reduce((sum, peak) => sum + peak, 0))
          const request = { chainId: '0/0', index: 3, frame: asking.sent }
          const ledger = ledgerOfWaiting(sessions)
          const isSafe = isSafeToTake(planWith(kvBlocks), ledger, request, 1e9)
          const after = [{ ...asking, sent: asking.sent + 1 }, ...others]
          expect(isSafe).toBe(canAllEnd(kvBlocks, after))
          if (isSafe) granted += 1
          else denied += 1
        },
      ),
      { numRuns: 300 },
    )
    expect(Math.min(granted, denied)).toBeGreaterThan(10)
  })

  it('leaves another one the blocks that it needs to end', () => {
    const [step] = curve.steps.filter(({ frame }) => frame > 100)
    const frame = step?.frame ?? 0
    const near = { sent: 700, frames: 750 }
    const ledger = ledgerOfWaiting([{ sent: frame, frames: 750 }, near])
    const ask = (kvBlocks: number, chainId: string, asked: number) =>
      isSafeToTake(planWith(kvBlocks), ledger, { chainId, index: 3, frame: asked }, 0)
    const held = curve.blocksAfter(frame + 1) + curve.blocksAfter(700)
    const toEnd = curve.peakBlocks(750) - curve.blocksAfter(700)
    expect(ask(held + toEnd, '0/0', frame)).toBe(true)
    expect(ask(held + toEnd - 1, '0/0', frame)).toBe(false)
    // The other one may go on in either case.
    expect(ask(held + toEnd - 1, '1/0', 700)).toBe(true)
  })
})

describe('another lease', () => {
  const asked = { frames: 3_000, sent: 0 }
  const asking = chainOf('a/0', [legOf({ frames: 3_000, stoppedFrame: 0 })])

  /** Least blocks with which the first frame of the asking one is safe beside it. */
  function leastBlocks(other: Parameters<typeof legOf>[0], nowMs: number, pace = 1): number {
    const ledger = ledgerOf(asking, chainOf('b/0', [legOf(other)], { pace }))
    const request = { chainId: 'a/0', index: 0, frame: 0 }
    return least((blocks) => isSafeToTake(planWith(blocks), ledger, request, nowMs))
  }
  /** The same where the other one has sent so many frames. */
  const leastBeside = (frames: number, sent: number) =>
    least((blocks) =>
      canAllEnd(blocks, [
        { ...asked, sent: 1 },
        { frames, sent },
      ]),
    )

  it('has sent the most that it can have sent by its plan, as late as it told', () => {
    let differences = 0
    for (const { frame } of curve.steps.filter(({ frame }) => frame < 5_000)) {
      const dueMs = 1_000 + 300 + frame * 80
      const other = { frames: 5_000, behindMs: 300 }
      const [before, after] = [leastBlocks(other, dueMs - 1), leastBlocks(other, dueMs)]
      expect([before, after]).toEqual([leastBeside(5_000, frame), leastBeside(5_000, frame + 1)])
      expect(leastBlocks(other, 1_300 + frame * 40, 2)).toBe(after)
      if (before !== after) differences += 1
    }
    expect(differences).toBeGreaterThan(2)
  })

  it('has sent nothing before its first frame is due', () => {
    expect(leastBlocks({ startMs: 60_000, frames: 5_000 }, 0)).toBe(leastBeside(5_000, 0))
  })

  it('holds all of its blocks once its audio is through, or where it has no pace', () => {
    const through = leastBeside(5_000, 5_000)
    expect(leastBlocks({ frames: 5_000 }, 1e9)).toBe(through)
    expect(leastBlocks({ frames: 5_000 }, 0, 0)).toBe(through)
    expect(through).toBeGreaterThan(leastBeside(5_000, 0))
  })

  it('holds nothing while it is only planned', () => {
    const alone = least((blocks) => canAllEnd(blocks, [asked]))
    expect(leastBlocks({ frames: 5_000, open: false }, 1e6)).toBe(alone)
  })

  it('of the same chain is another one, too', () => {
    const older = legOf({ index: 1, frames: 5_000, stoppedFrame: 2_000 })
    const ledger = ledgerOf(chainOf('a/0', [older, ...asking.legs]))
    const request = { chainId: 'a/0', index: 0, frame: 0 }
    const found = least((blocks) => isSafeToTake(planWith(blocks), ledger, request, 0))
    expect(found).toBe(leastBeside(5_000, 2_000))
    expect(found).toBeGreaterThan(leastBeside(5_000, 1))
  })
})

function least(isEnough: (blocks: number) => boolean): number {
  let blocks = 0
  while (!isEnough(blocks)) blocks += 1
  return blocks
}
