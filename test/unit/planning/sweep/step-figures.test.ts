import { describe, expect, it } from 'vitest'
import { decodeEvent } from '../../../../src/planning/sweep/events.js'
import { stepFigures } from '../../../../src/planning/sweep/step-figures.js'
import { StepFold, type StepSums } from '../../../../src/planning/sweep/step-fold.js'
import { yapView } from '../../../../src/planning/sweep/yap-view.js'

const MODEL =
  '{"block_tokens":16,"encoder_window_tokens":189,"decoder_window_tokens":8192,"decoder_block_ratio":8}'

/** 800 ms of audio in each of three sessions: one fares well, one is slow, one is cut off. */
const EVENTS = `
{"kind":"step_started","at_ms":1000,"sessions":3,"pace":1,"audio_ms":800,"delta_delay_ms":0,"kv_blocks_max":100,"kv_model":${MODEL},"others_connected":0}
{"kind":"warmed_up","at_ms":1100,"duration_ms":100}
{"kind":"arrived","session":0,"at_ms":1200}
{"kind":"opened","session":0,"at_ms":1201}
{"kind":"created","session":0,"at_ms":1211}
["f",0,1220,0]
["f",0,1300,0]
{"kind":"arrived","session":1,"at_ms":1310}
{"kind":"opened","session":1,"at_ms":1360}
{"kind":"created","session":1,"at_ms":1390}
["f",0,1380,0]
["f",1,1400,0]
["f",0,1460,0]
["f",1,1480,0]
["f",0,1540,0]
["f",1,1560,0]
["f",0,1620,0]
["f",1,1640,0]
["f",0,1700,0]
["f",1,1720,0]
["f",0,1780,0]
["d",0,1790,0]
["f",1,1800,0]
["f",0,1860,0]
["d",0,1880,1]
["f",1,1880,0]
["f",0,1942,2]
{"kind":"audio_ended","session":0,"at_ms":1942}
["f",1,1960,0]
["d",0,1972,1]
["d",0,1980,1]
{"kind":"done","session":0,"at_ms":2000}
{"kind":"ended","session":0,"at_ms":2001,"outcome":"ok","code":null,"verified":true,"text_chars":12}
["f",1,2040,0]
["f",1,2130,10]
{"kind":"audio_ended","session":1,"at_ms":2130}
["d",1,2160,0]
["d",1,2300,1]
{"kind":"gauges","at_ms":3310,"requested_ms":3301,"kv_usage":0.04,"kv_blocks":4,"waiting_capacity":1,"deferred":2,"preemptions":5,"websocket_connections":3}
{"kind":"gauges","at_ms":4310,"requested_ms":4301,"kv_usage":0.07,"kv_blocks":7,"waiting_capacity":0,"deferred":2,"preemptions":6,"websocket_connections":3}
{"kind":"ended","session":1,"at_ms":5130,"outcome":"closed","code":"close_1006","verified":null,"text_chars":null}
{"kind":"arrived","session":2,"at_ms":5200}
{"kind":"opened","session":2,"at_ms":5200}
{"kind":"ended","session":2,"at_ms":5210,"outcome":"rejected","code":"http_503","verified":null,"text_chars":null}
{"kind":"step_ended","at_ms":5300,"ending":"complete"}
`

function sumsOf(text: string): StepSums {
  const [started, ...events] = text.trim().split('\n').map(decodeEvent)
  if (started?.kind !== 'step_started') throw new Error('the first event begins the step')
  const fold = new StepFold(started)
  for (const event of events) fold.take(event)
  return fold.sums()
}

describe('the figures of a hand-written file of events', () => {
  const figures = stepFigures(sumsOf(EVENTS))

  it('counts sessions by how they ended', () => {
    expect(figures.outcomes).toEqual([
      { outcome: 'ok', code: null, sessions: 1 },
      { outcome: 'closed', code: 'close_1006', sessions: 1 },
      { outcome: 'rejected', code: 'http_503', sessions: 1 },
    ])
    expect(figures).toMatchObject({ ending: 'complete', warm_up_ms: 100, unverified_sessions: 0 })
  })

  it('measures the first text from the first frame, and the end from the last', () => {
    // Session 0: text at 1880, frames from 1220 to 1942, done at 2000. Session 1: 1400 to 2300.
    expect(figures.ttft_ms).toEqual({
      avg: 780,
      p50: 660,
      p95: 900,
      p99: 900,
      max: 900,
      worst_session: 1,
    })
    // The first deltas have no text: session 0 at 1790, session 1 at 2160.
    expect(figures.first_delta_ms).toMatchObject({ p50: 570, max: 760, worst_session: 1 })
    expect(figures.finalization_ms).toMatchObject({ avg: 58, max: 58, worst_session: 0 })
    // 2000 - 1220 less 800 ms of audio is below 0: it ended before its audio would have.
    expect(figures.overrun_ms).toMatchObject({ max: 0 })
    expect(figures.queue_wait_ms).toMatchObject({ max: 50, worst_session: 1 })
    expect(figures.connect_ms).toMatchObject({ max: 30, worst_session: 1 })
    expect(figures.sender_slip_ms).toMatchObject({ max: 10, worst_session: 1 })
  })

  it('measures lag from the frame that made a delta possible, those that never came too', () => {
    // Session 0: 1790 - 1780, 1880 - 1860, 1972 - 1942; its fourth delta is of the tail.
    // Session 1: 2160 - 1960, 2300 - 2040; frame 9 (2130) was never answered until 5130.
    expect(figures.delta_lag_ms).toEqual({
      avg: 586.7,
      p50: 30,
      p95: 3000,
      p99: 3000,
      max: 3000,
      worst_session: 1,
    })
    expect(figures.worst_lag_ms_by_session).toEqual([30, 3000, null])
    expect(figures.p95_lag_ms_of_worst_session).toEqual({ session: 1, ms: 3000 })
  })

  it('compares the KV gauge with the law over the sessions that are open', () => {
    // Session 1 alone, 2 deltas: 40 tokens are 3 encoder blocks and 1 decoder block.
    expect(figures.kv).toEqual({
      blocks_max: 100,
      usage_peak: 0.07,
      measured_peak_blocks: 7,
      predicted_peak_blocks: 4,
      error_blocks_p50: 0,
      error_blocks_max: 3,
    })
    expect(figures.kv_series).toEqual([
      { at_ms: 3310, measured_blocks: 4, predicted_blocks: 4 },
      { at_ms: 4310, measured_blocks: 7, predicted_blocks: 4 },
    ])
  })

  it('tells what the engine said of itself', () => {
    expect(figures).toMatchObject({
      waiting_capacity_max: 1,
      waiting_capacity_samples: 1,
      deferred_max: 2,
      preemptions: 1,
      others_connected_max: 2,
    })
  })

  it('says nothing of a time in which not all were fed', () => {
    expect(figures).toMatchObject({ held_ms: 0, deltas_per_second: null })
  })

  it('gives the same lines as yap, from the sessions that went well', () => {
    const lines = new Map(
      yapView(sumsOf(EVENTS), { server: 'gpu:8000', file: 'a.wav' }).map(({ label, text }) => [
        label,
        text,
      ]),
    )
    expect([...lines.keys()].slice(0, 6)).toEqual([
      'Server',
      'File',
      'Sessions, concurrency',
      'n',
      'Wall s',
      'TTFW (word)',
    ])
    expect(lines.get('n')).toBe('1')
    expect(lines.get('Wall s')).toBe('avg 0.8000  p50 0.8000  p95 0.8000')
    expect(lines.get('TTFW (text) s')).toBe('avg 0.6600  p50 0.6600  p95 0.6600')
    expect(lines.get('RTF (server)')).toBe('avg 0.9750  p50 0.9750  p95 0.9750')
    expect(lines.get('Send dur s')).toBe('avg 0.7410  p50 0.7410  p95 0.7410')
    expect(lines.get('Flush→Final ms')).toBe('avg 58.0  p50 58.0  p95 58.0')
    expect(lines.get('Decode tail ms')).toBe('avg 20.0  p50 20.0  p95 20.0')
    expect(lines.get('Partial gap ms')).toBe('avg 50.0  p50 50.0  p95 50.0')
    expect(lines.get('Rejected')).toBe('1')
    expect(lines.get('Errors')).toBe('1')
    expect(lines.get('Total audio processed s')).toBe('0.8000')
  })
})

describe('deltas per second', () => {
  it('counts whole seconds in which every session is fed and answered', () => {
    const frames = Array.from({ length: 75 }, (_, index) => index)
    const lines = [0, 1].flatMap((session) => [
      { atMs: 0, line: `{"kind":"opened","session":${session},"at_ms":0}` },
      ...frames.map((index) => ({ atMs: index * 80, line: `["f",${session},${index * 80},0]` })),
      ...frames.slice(7).map((index) => ({
        atMs: index * 80 + 5,
        line: `["d",${session},${index * 80 + 5},0]`,
      })),
      { atMs: 5920, line: `{"kind":"audio_ended","session":${session},"at_ms":5920}` },
    ])
    const text = [
      `{"kind":"step_started","at_ms":0,"sessions":2,"pace":1,"audio_ms":6000,"delta_delay_ms":0,"kv_blocks_max":null,"kv_model":null,"others_connected":null}`,
      ...lines.sort((left, right) => left.atMs - right.atMs).map(({ line }) => line),
    ].join('\n')
    const figures = stepFigures(sumsOf(text))
    expect(figures.held_ms).toBe(5920)
    expect(figures.deltas_per_second_due).toBe(25)
    // Seconds 1 to 4; 12 or 13 frames of 80 ms fall into one.
    expect(figures.deltas_per_second).toMatchObject({ avg: 25, p50: 24, max: 26 })
    expect(figures.ending).toBe('stopped')
  })
})
