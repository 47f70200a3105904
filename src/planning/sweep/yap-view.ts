import type { StepSums } from './step-fold.js'

/** One line of the view that yap's bench prints, values already in its format. */
export interface YapLine {
  label: string
  text: string
}

/** The head of the view. */
export interface YapHead {
  server: string
  file: string
}

interface YapSession {
  wallS: number
  audioS: number
  ttfwS: number | null
  toFinalS: number
  serverS: number
  sendS: number
  postSendS: number
  flushMs: number
  tailMs: number | null
  gapMs: number | null
}

/**
 * The figures of a step as yap's bench prints them, in its order and by its formulas, so that the
 * numbers can be compared with yap's. Only sessions that ended well are in them. Pure.
 */
export function yapView(sums: StepSums, head: YapHead): YapLine[] {
  const { sessions, started } = sums
  const traces = [...sessions.values()]
  const done = sessionsOf(sums)
  const outcomes = traces.map(({ ended }) => ended?.outcome ?? 'closed')
  const rejected = outcomes.filter((outcome) => outcome === 'rejected').length
  const errors = outcomes.length - rejected - done.length
  const elapsedS = secondsOf(started.atMs, sums.ended?.atMs ?? lastMs(sums))
  const totalS = done.reduce((sum, { audioS }) => sum + audioS, 0)
  const perMinute = elapsedS > 0 ? (totalS / elapsedS) * 60 : 0
  return [
    { label: 'Server', text: head.server },
    { label: 'File', text: head.file },
    { label: 'Sessions, concurrency', text: `${started.sessions}, ${started.sessions}` },
    { label: 'n', text: String(done.length) },
    inSeconds('Wall s', done, ({ wallS }) => wallS),
    { label: 'TTFW (word)', text: 'not measured, by yap neither' },
    inSeconds('TTFW (text) s', done, ({ ttfwS }) => ttfwS),
    average('Audio s', done, ({ audioS }) => audioS),
    inSeconds('RTF (full)', done, ({ toFinalS, audioS }) => toFinalS / audioS),
    inSeconds('RTF (server)', done, ({ serverS, audioS }) => serverS / audioS),
    average('xRT', done, ({ audioS, wallS }) => audioS / wallS),
    average('Throughput min/min', done, ({ audioS, wallS }) => audioS / wallS),
    inMs('Delta (audio) ms', done, ({ toFinalS, audioS }) => (toFinalS - audioS) * 1000),
    inSeconds('Send dur s', done, ({ sendS }) => sendS),
    inSeconds('Post-send→Final s', done, ({ postSendS }) => postSendS),
    inMs('Flush→Final ms', done, ({ flushMs }) => (flushMs > 0 ? flushMs : null)),
    inMs('Decode tail ms', done, ({ tailMs }) => tailMs),
    inMs('Partial gap ms', done, ({ gapMs }) => (gapMs !== null && gapMs > 0 ? gapMs : null)),
    { label: 'Rejected', text: String(rejected) },
    { label: 'Errors', text: String(errors) },
    { label: 'Total elapsed s', text: elapsedS.toFixed(4) },
    { label: 'Total audio processed s', text: totalS.toFixed(4) },
    {
      label: 'Overall throughput',
      text: `${perMinute.toFixed(2)} sec/min, ${(perMinute / 60).toFixed(2)} min/min`,
    },
  ]
}

function sessionsOf({ sessions }: StepSums): YapSession[] {
  return [...sessions.values()].flatMap((trace): YapSession[] => {
    const { openedMs, firstFrameMs, lastFrameMs, audioEndedMs, doneMs, ended } = trace
    if (ended?.outcome !== 'ok' || openedMs === null || doneMs === null) return []
    if (firstFrameMs === null || lastFrameMs === null) return []
    const gaps = trace.texts - 1
    return [
      {
        wallS: secondsOf(openedMs, ended.atMs),
        audioS: trace.audioMs / 1000,
        ttfwS: trace.firstTextMs === null ? null : secondsOf(firstFrameMs, trace.firstTextMs),
        toFinalS: secondsOf(openedMs, doneMs),
        serverS: secondsOf(firstFrameMs, doneMs),
        sendS: secondsOf(openedMs, lastFrameMs),
        postSendS: secondsOf(lastFrameMs, doneMs),
        flushMs: doneMs - (audioEndedMs ?? lastFrameMs),
        tailMs: trace.lastTextMs === null ? null : doneMs - trace.lastTextMs,
        gapMs: gaps > 0 ? ((trace.lastTextMs ?? 0) - (trace.firstTextMs ?? 0)) / gaps : null,
      },
    ]
  })
}

function lastMs({ sessions, started }: StepSums): number {
  return Math.max(started.atMs, ...[...sessions.values()].map(({ ended }) => ended?.atMs ?? 0))
}

function secondsOf(fromMs: number, toMs: number): number {
  return (toMs - fromMs) / 1000
}

type Pick = (session: YapSession) => number | null

function average(label: string, done: readonly YapSession[], pick: Pick): YapLine {
  const values = valuesOf(done, pick)
  return { label, text: values.length === 0 ? '–' : `avg ${mean(values).toFixed(4)}` }
}

function inSeconds(label: string, done: readonly YapSession[], pick: Pick): YapLine {
  return line(label, valuesOf(done, pick), { digits: 4, middle: median })
}

function inMs(label: string, done: readonly YapSession[], pick: Pick): YapLine {
  return line(label, valuesOf(done, pick), { digits: 1, middle: (values) => rank(values, 0.5) })
}

function line(
  label: string,
  values: readonly number[],
  { digits, middle }: { digits: number; middle: (values: readonly number[]) => number },
): YapLine {
  if (values.length === 0) return { label, text: '–' }
  const [avg, p50, p95] = [mean(values), middle(values), rank(values, 0.95)].map((value) =>
    value.toFixed(digits),
  )
  return { label, text: `avg ${avg}  p50 ${p50}  p95 ${p95}` }
}

/** The values that were measured, ascending. */
function valuesOf(done: readonly YapSession[], pick: Pick): number[] {
  return done.flatMap((session) => pick(session) ?? []).sort((left, right) => left - right)
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function median(values: readonly number[]): number {
  const middle = values.length >> 1
  const upper = values[middle] ?? 0
  return values.length % 2 === 1 ? upper : (upper + (values[middle - 1] ?? 0)) / 2
}

/** The value at index round(share × (n − 1)), a half rounded to the even index as Python does. */
export function rank(ascending: readonly number[], share: number): number {
  const exact = share * (ascending.length - 1)
  const below = Math.floor(exact)
  const half = exact - below === 0.5
  return ascending[half ? below + (below % 2) : Math.round(exact)] ?? 0
}
