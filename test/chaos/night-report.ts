import type { ChaosNight } from './chaos-night.js'
import type { StruckFault } from './fault-striker.js'
import { audioRedone, spreadOf, timesToGoOn, type WentOn } from './night-figures.js'

/** Most audio that a lost session or worker may cost: a checkpoint's distance and the way back. */
export const REDONE_MS_MAX = 90_000

/** The figures of a night, flat, and whether all that must be so is so. */
export function nightReport(night: ChaosNight) {
  const { jobs, faults, engines, leftovers } = night
  const sum = (of: (job: ChaosNight['jobs'][number]) => number) =>
    jobs.reduce((total, job) => total + of(job), 0)
  const redone = audioRedone(night.heard.all, night)
  const byCause = (cause: string) =>
    redone.filter((each) => each.cause === cause).map(({ audioMs }) => audioMs)
  const wentOn = timesToGoOn(night.heard.all, faults, night)
  const sentMs = night.heard.all
    .filter(({ lane }) => lane !== null)
    .reduce((total, { audioMs }) => total + audioMs, 0)
  const figures = {
    recordings: jobs.length,
    audio_minutes: Math.round(sum(({ seconds }) => seconds) / 60),
    faults_struck: faults.length,
    faults_by_kind: countByKind(faults),
    words: sum(({ words }) => words),
    words_lost: sum(({ wordsLost }) => wordsLost),
    words_doubled: sum(({ wordsDoubled }) => wordsDoubled),
    words_out_of_place: sum(({ wordsWrong }) => wordsWrong),
    jobs_completed: jobs.filter(({ status }) => status === 'completed').length,
    jobs_with_one_manifest: jobs.filter(({ manifests }) => manifests === 1).length,
    jobs_contiguous: jobs.filter(({ isContiguous }) => isContiguous).length,
    jobs_with_warnings: jobs.filter(({ warnings }) => warnings.length > 0).length,
    dead_letters_retried: night.deadLetters.length,
    attempts_per_job_mean: round(sum(({ attempts }) => attempts) / Math.max(1, jobs.length)),
    attempts_per_job_max: Math.max(0, ...jobs.map(({ attempts }) => attempts)),
    sessions_heard: night.heard.all.length,
    audio_minutes_sent: Math.round(sentMs / 60_000),
    redone_ms_per_takeover: spreadOf(byCause('takeover')),
    redone_ms_per_session_loss: spreadOf(byCause('session')),
    ms_from_kill_to_going_on: gapsOf(wentOn, 'worker-kill'),
    ms_from_freeze_to_going_on: gapsOf(wentOn, 'worker-freeze'),
    worker_starts: night.workerStarts,
    engine_deaths: engines.reduce((total, { deaths }) => total + deaths, 0),
    engine_kv_blocks_usable: engines.map(({ kvBlocksUsable }) => kvBlocksUsable),
    engine_kv_blocks_held_max: engines.map(({ kvBlocksHeldMax }) => kvBlocksHeldMax),
    engine_deadlocks: engines.map(({ deadlocks }) => deadlocks),
    unexpected_ends_of_workers: night.unexpectedEnds,
    bugs: night.bugs,
    still_held_at_the_end: night.stillHeld,
    leftovers_removed_by_housekeeping: leftovers.removed,
    leftovers_it_left: leftovers.left,
    storm_seconds: Math.round(night.stormMs / 1000),
    wall_seconds: Math.round(night.wallMs / 1000),
  }
  return { figures, redone, wentOn, wrong: whatIsWrong(night, figures) }
}

/** Those that must be as many as the recordings, or none. */
interface JudgedFigures {
  recordings: number
  words_lost: number
  words_doubled: number
  words_out_of_place: number
  jobs_completed: number
  jobs_with_one_manifest: number
  jobs_contiguous: number
}

/** A sentence for everything that must not be. */
function whatIsWrong(night: ChaosNight, figures: JudgedFigures): string[] {
  const { recordings } = figures
  const zero = {
    'words were lost': figures.words_lost,
    'words came twice': figures.words_doubled,
    'words are out of place': figures.words_out_of_place,
    'jobs were not completed': recordings - figures.jobs_completed,
    'jobs have not exactly one manifest': recordings - figures.jobs_with_one_manifest,
    'jobs have legs with a gap': recordings - figures.jobs_contiguous,
    'leases or sessions were never given back': night.stillHeld.length,
    'leftovers were not found by housekeeping': night.leftovers.left.length,
    'workers ended by themselves': night.unexpectedEnds.length,
    'bugs were met': night.bugs.length,
    'engines held more blocks than they have': night.engines.filter(
      ({ kvBlocksHeldMax, kvBlocksUsable }) => kvBlocksHeldMax > kvBlocksUsable,
    ).length,
  }
  return Object.entries(zero).flatMap(([what, count]) => (count === 0 ? [] : `${count} ${what}`))
}

function countByKind(faults: readonly StruckFault[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { fault } of faults) counts[fault.kind] = (counts[fault.kind] ?? 0) + 1
  return counts
}

function gapsOf(wentOn: readonly WentOn[], kind: WentOn['kind']) {
  const own = wentOn.filter((each) => each.kind === kind)
  const undisturbed = own.filter(({ isUndisturbed }) => isUndisturbed)
  return {
    all: spreadOf(own.map(({ gapMs }) => gapMs)),
    undisturbed: spreadOf(undisturbed.map(({ gapMs }) => gapMs)),
  }
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
