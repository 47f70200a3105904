import { describe, expect, it } from 'vitest'
import { SILENCE_MAX_MS } from '../../../src/admission/engine/eviction-rule.js'
import { judgeLook, type LawVerdict } from './kv-law.js'
import { type Night, type NightTranscript, smallCacheNight } from './small-cache-night.js'
import { expectWhole } from './whole-transcript.js'

const signal = new AbortController().signal

/** One night takes six recordings of 3 minutes; on this cache not all can be carried at once. */
const NIGHT_TIMEOUT_MS = 1_200_000
/** Sessions that fill the cache while they are young. */
const FIXED_SESSIONS = 6
/** `num_gpu_blocks` less one. */
const USABLE_BLOCKS = 39
/** Legs of a minute at most, or `fixed` takes all night; next door a session opens quickly. */
const legs = { floorMs: 12_000, ceilingMs: 60_000, openAheadMs: 300 }
/** What a CPU shared with the client needs for a step now and then isn't the knee's business. */
const kneeLagMs = 60_000
/** A slow step ends no session either; the bound for an engine whose cache is full stays. */
const stallTimeoutMs = 60_000

describe('recordings on a real engine whose KV cache is too small for all of them', () => {
  /** Of both nights, for the test that comes after them. */
  const verdicts: LawVerdict[] = []

  it('fixed: the engine stops for good, is freed, and every recording comes home', {
    timeout: NIGHT_TIMEOUT_MS,
  }, async () => {
    const night = await smallCacheNight(
      {
        admission: { policy: 'fixed', kneeLagMs },
        engine: { sessionsMax: FIXED_SESSIONS },
        legs,
      },
      { signal },
    )
    verdicts.push(...verdictsOf(night))
    report('fixed', night)
    expect(freedOf(night)).toBeGreaterThan(0)
    expect(Math.max(...night.looks.map((look) => look.measuredBlocks))).toBe(USABLE_BLOCKS)
    expect(longestSilenceMs(night)).toBeGreaterThan(SILENCE_MAX_MS)
    expectAllHome(night)
  })

  it('elastic: the engine never stops, and carries four and more at a time', {
    timeout: NIGHT_TIMEOUT_MS,
  }, async () => {
    const night = await smallCacheNight(
      {
        admission: { policy: 'elastic', safetyFactor: 1, kneeLagMs },
        engine: { stallTimeoutMs },
        legs,
      },
      { signal },
    )
    verdicts.push(...verdictsOf(night))
    report('elastic', night)
    expect(freedOf(night)).toBe(0)
    expectAllHome(night)
    for (const transcript of night.transcripts) expect(transcript?.metrics.reconnects).toBe(0)
    expect(runningOnAverage(night)).toBeGreaterThanOrEqual(4)
  })

  it('hold the blocks that the law says, second by second', () => {
    const quiet = verdicts.filter(({ isQuiet }) => isQuiet)
    const right = quiet.filter(({ offBlocks }) => offBlocks === 0)
    say(`the law: ${right.length} of ${quiet.length} quiet seconds of ${verdicts.length} are right`)
    expect(quiet.length).toBeGreaterThan(100)
    expect(right.length / quiet.length).toBeGreaterThanOrEqual(0.99)
    const wrong = verdicts.filter(({ offBlocks, sessions }) => offBlocks > sessions)
    expect(wrong).toEqual([])
  })
})

function verdictsOf({ kvModel, sessions, looks }: Night): LawVerdict[] {
  const verdicts = looks.map((look) => judgeLook(kvModel, sessions, look))
  return verdicts.filter((verdict) => verdict.sessions > 0)
}

function freedOf({ controllerEvents }: Night): number {
  return controllerEvents.filter(({ kind }) => kind === 'session_evicted').length
}

/** Longest time in which sessions that had begun were there, and none of them got a delta. */
function longestSilenceMs({ sessions }: Night): number {
  const heardMs = sessions.flatMap(({ deltasMs }) => deltasMs).sort((one, other) => one - other)
  const isBetween = (fromMs: number, toMs: number) =>
    sessions.some(({ deltasMs, closedMs }) => {
      return (deltasMs[0] ?? toMs) <= fromMs && (closedMs ?? toMs) >= toMs
    })
  let longestMs = 0
  for (const [index, toMs] of heardMs.entries()) {
    const fromMs = heardMs[index - 1] ?? toMs
    if (toMs - fromMs > longestMs && isBetween(fromMs, toMs)) longestMs = toMs - fromMs
  }
  return longestMs
}

/** Recordings that hold a session, while four and more are still to be done. */
function runningOnAverage({ looks }: Night): number {
  const first = looks.findIndex(({ running }) => running > 0)
  const busy = looks.slice(first).filter(({ unfinished }) => unfinished >= 4)
  return busy.reduce((sum, { running }) => sum + running, 0) / busy.length
}

function expectAllHome({ records, transcripts, stretches }: Night): void {
  for (const [recording, record] of records.entries()) {
    expect(record).toMatchObject({ status: 'completed', error: null, engineIsStandin: false })
    const transcript = transcripts[recording] as NightTranscript
    expectWhole(
      transcript,
      stretches.filter((stretch) => stretch.recording === recording),
    )
    const cuts = transcript.legs.map(({ cut }) => cut)
    expect(cuts).toEqual([...cuts.slice(1).map(() => 'pause'), 'end'])
  }
}

function report(policy: string, night: Night): void {
  const { looks, transcripts, sessions } = night
  const lastsMs = (looks.at(-1)?.askedMs ?? 0) - (looks[0]?.askedMs ?? 0)
  const carried = transcripts.reduce((sum, each) => sum + (each?.legs.length ?? 0), 0)
  const lags = transcripts.map((each) => each?.metrics.delta_latency_ms.p99 ?? 0)
  say(
    [
      `${policy}: ${Math.round(lastsMs / 1000)} s`,
      `${freedOf(night)} sessions freed`,
      `${sessions.length} sessions for ${carried} legs`,
      `${runningOnAverage(night).toFixed(2)} recordings at a time while 4 and more were left`,
      `silent for ${Math.round(longestSilenceMs(night))} ms at most`,
      `at most ${Math.max(...looks.map((look) => look.measuredBlocks))} blocks`,
      `lag p99 up to ${Math.max(...lags)} ms`,
    ].join(', '),
  )
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
