import { GrowingCuts } from '../../src/admission/legs/growing-cuts.js'
import { cutsOf } from '../../src/admission/legs/lane-cuts.js'
import { type NightResult, type NightRun, NO_TROUBLE } from './night-run.js'

/**
 * Steps may take longer than they may by so much where something was late: a session that is closed
 * late costs its part a while longer than planned.
 */
const STEP_TOLERANCE_TROUBLED = 1.25

/** What must hold once a night is over. @returns a sentence for each thing that doesn't */
export function checkNight(run: NightRun, result: NightResult): string[] {
  return [
    ...result.violations,
    ...checkEnds(run, result),
    ...checkLegs(run, result),
    ...checkSteps(run, result),
  ]
}

function checkEnds(run: NightRun, result: NightResult): string[] {
  return run.jobs.flatMap(({ jobId }) => {
    const isOver = result.finishedMs.has(jobId) !== result.refused.has(jobId)
    return isOver ? [] : [`${jobId} hasn't ended once by ${run.untilMs} ms`]
  })
}

/** The legs of every lane lead from its beginning to its end without a gap. */
function checkLegs(run: NightRun, result: NightResult): string[] {
  const faults: string[] = []
  for (const { jobId, lanes } of run.jobs) {
    if (!result.finishedMs.has(jobId)) continue
    for (const [lane, { cuts: source, fromFrame }] of lanes.entries()) {
      if (source instanceof GrowingCuts) continue // see `checkLive`
      const cuts = cutsOf(source)
      let at = fromFrame
      for (const leg of result.legs.filter((each) => each.jobId === jobId && each.lane === lane)) {
        const cut = cuts.find(({ endFrame }) => endFrame === leg.endFrame)
        if (leg.fromFrame !== at) faults.push(`${jobId}/${lane} has a gap at frame ${at}`)
        if (!cut) faults.push(`${jobId}/${lane} is cut at frame ${leg.endFrame}`)
        at = cut?.kind === 'end' ? leg.endFrame : (cut?.nextFrame ?? at)
      }
      if (at !== cuts.at(-1)?.endFrame) faults.push(`${jobId}/${lane} ends at frame ${at}`)
    }
  }
  return faults
}

function checkSteps(run: NightRun, result: NightResult): string[] {
  return run.engines.flatMap(({ id, plan, baseMs }, at) => {
    if (plan.stepModel === null) return []
    // Who is late may hold a session longer than planned: blocks are kept in any case, steps
    // aren't.
    const { tailMaxMs, slipShare, lateCloseShare } = run.trouble ?? NO_TROUBLE
    const isTroubled = tailMaxMs > 1_000 || slipShare > 0 || lateCloseShare > 0
    const budgetMs = (baseMs + plan.limits.stepMs) * (isTroubled ? STEP_TOLERANCE_TROUBLED : 1)
    const { stepMsMax } = result.truths[at] ?? { stepMsMax: 0 }
    return stepMsMax <= budgetMs + 1e-6 ? [] : [`${id}: a step took ${stepMsMax} of ${budgetMs} ms`]
  })
}
