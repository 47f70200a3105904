import { describe, expect, it } from 'vitest'
import { STEP_MS } from '../../../src/model/pcm.js'
import { isFinal } from '../../../src/queue/contract/job-status.js'
import { OPEN } from '../../fakes/open-signal.js'
import { outputOf } from '../../job-results.js'
import { requireEngineKit } from './engine-kit.js'
import { type EngineDeath, OwnEngine } from './own-engine.js'
import { cardsOf, type PacedNight, startPacedNight, untilCarried } from './paced-night.js'
import { type SentStretch, sentStretches } from './sent-stretch.js'
import { expectWhole, type LegTranscript } from './whole-transcript.js'

const DEATHS: readonly EngineDeath[] = ['core killed', 'server killed', 'told to stop']
/** Long enough that none is over before the last death; its last frame is a short one. */
const RECORDING = { durationMs: 80_060, everyMs: 3_000, pauseMs: 800 }
/** Audio of every recording between two deaths, at least. */
const CARRIED_BETWEEN_MS = 10_000
/** Four starts of the engine, and the recordings; some 7 minutes on two cores. */
const TIMEOUT_MS = 1_500_000
/**
 * Audio that a lane may send again after a death: back to the last of the pauses, one every 3 s,
 * that its text had passed by a second, and what the engine may be behind (`engine.lagMaxMs`, 4 s)
 * with both sessions of a change-over.
 */
const REDONE_MAX_MS = 15_000

/** One death of the engine; times are of the night's clock. */
interface Death {
  how: EngineDeath
  atMs: number
  /** No process of it is left. */
  endedMs: number
  /** The one that took its place answers. */
  readyMs: number
}

describe('a real engine with six recordings on it', () => {
  it('is killed twice and told to stop once, comes back, and every job ends whole', {
    timeout: TIMEOUT_MS,
  }, async () => {
    await using engine = await OwnEngine.start(requireEngineKit(), [])
    await using night = await startPacedNight(engine, RECORDING)
    const { stack, jobIds } = night
    const deaths: Death[] = []
    for (const how of DEATHS) deaths.push(await surviveDeath(night, engine, { how, deaths }))
    const records = await stack.ended(jobIds)
    const stretches = sentStretches(night.log.sessions, night.frames)
    for (const death of deaths) reportDeath(death, night, stretches)
    for (const record of records) {
      expect(record).toMatchObject({ status: 'completed', error: null, engineIsStandin: false })
    }
    for (const [recording, jobId] of jobIds.entries()) {
      const transcript = JSON.parse(
        await outputOf(stack, jobId, 'transcript.json'),
      ) as LegTranscript
      const sent = stretches.filter((stretch) => stretch.recording === recording)
      reportJob(recording, transcript, sent)
      expectWhole(transcript, sent)
      // An outage is nobody's failure: no try was lost by it.
      const history = await stack.ports.jobStore.history(jobId, OPEN)
      expect(history.filter(({ entry }) => entry.kind === 'attempt-failed')).toEqual([])
    }
    const redoneMs = deaths.flatMap((death) => returnsAfter(death, stretches))
    expect(redoneMs).toHaveLength(DEATHS.length * jobIds.length)
    expect(Math.max(...redoneMs.map((each) => each.redoneMs))).toBeLessThanOrEqual(REDONE_MAX_MS)
    expect((await stack.ledger(engine.url)).chains).toEqual([])
  })
})

/** Lets all recordings get further, makes the engine die, and starts it again. */
async function surviveDeath(
  night: PacedNight,
  engine: OwnEngine,
  { how, deaths }: { how: EngineDeath; deaths: readonly Death[] },
): Promise<Death> {
  const { clock } = night
  const sinceMs = deaths.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY
  await untilCarried(night, { sinceMs, audioMs: CARRIED_BETWEEN_MS })
  const over = (await cardsOf(night)).filter((record) => record === null || isFinal(record.status))
  expect(over, `jobs that are over before the engine is ${how}`).toEqual([])
  const atMs = clock.monotonicMs()
  await engine.die(how)
  await engine.ended()
  const endedMs = clock.monotonicMs()
  await engine.start()
  return { how, atMs, endedMs, readyMs: clock.monotonicMs() }
}

/** When each recording went on after a death, and how much of it was sent again. */
function returnsAfter(
  { atMs }: Death,
  stretches: readonly SentStretch[],
): { afterMs: number; redoneMs: number }[] {
  const recordings = new Set(stretches.map(({ recording }) => recording))
  return [...recordings].flatMap((recording) => {
    const ours = stretches.filter((stretch) => stretch.recording === recording)
    const before = ours.filter(({ session }) => session.openedMs <= atMs)
    const next = ours.find(({ session }) => session.openedMs > atMs && session.texts.length > 0)
    if (!next) return []
    const sentFrame = Math.max(...before.map(({ endFrame }) => endFrame))
    const afterMs = (next.session.deltasMs[0] ?? atMs) - atMs
    return [{ afterMs, redoneMs: (sentFrame - next.fromFrame) * STEP_MS }]
  })
}

function reportDeath(death: Death, { health }: PacedNight, stretches: readonly SentStretch[]) {
  const { how, atMs, endedMs, readyMs } = death
  const stateMs = (state: string) => {
    const found = health.find((each) => each.atMs > atMs && each.state === state)
    return found ? found.atMs - atMs : Number.NaN
  }
  const returns = returnsAfter(death, stretches)
  say(
    [
      `${how}: out after ${seconds(stateMs('out'))}`,
      `its processes gone after ${seconds(endedMs - atMs)}`,
      `started again after ${seconds(readyMs - atMs)}`,
      `up after ${seconds(stateMs('up'))}`,
      `text goes on after ${range(returns.map(({ afterMs }) => afterMs))}`,
      `sent again ${range(returns.map(({ redoneMs }) => redoneMs))} a recording`,
    ].join(', '),
  )
}

function reportJob(
  recording: number,
  { legs, duration, text }: LegTranscript,
  sent: readonly SentStretch[],
): void {
  const attempts = new Set(legs.map(({ attempt }) => attempt)).size
  const words = text.split(/\s+/).length
  const deltas = legs.reduce((sum, leg) => sum + leg.deltas, 0)
  say(
    `recording ${recording + 1}: ${duration} s in ${legs.length} legs of ${attempts} attempts by ` +
      `${sent.length} sessions, ${deltas} deltas, ${words} words`,
  )
}

function range(timesMs: readonly number[]): string {
  return `${seconds(Math.min(...timesMs))} to ${seconds(Math.max(...timesMs))}`
}

function seconds(timeMs: number): string {
  return `${(timeMs / 1000).toFixed(1)} s`
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
