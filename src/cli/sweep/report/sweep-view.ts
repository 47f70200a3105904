import { Presets, SingleBar } from 'cli-progress'
import type { Clock } from '../../../kernel/clock.js'
import type { StepEnding } from '../../../planning/sweep/events.js'
import type { StepReport } from '../../../planning/sweep/report.js'
import { clockText, type Terminal } from '../../terminal.js'
import { latency, okSessions } from './figures-tables.js'

/** Shows a sweep while it runs. */
export interface SweepView {
  stepStarted(step: { sessions: number; durationMs: number }): void
  sessionEnded(): void
  /** Called several times a second while a step runs. */
  tick(): void
  stepEnded(ending: StepEnding): void
  /** Shows the figures of a finished step. */
  row(step: StepReport): void
}

const COLUMNS: readonly { head: string; cell(step: StepReport): string }[] = [
  { head: 'sessions', cell: ({ sessions }) => String(sessions) },
  { head: 'ok', cell: (step) => String(okSessions(step)) },
  { head: 'delta p95', cell: ({ first_delta_ms }) => latency(first_delta_ms, 'p95') },
  { head: 'text p95', cell: ({ ttft_ms }) => latency(ttft_ms, 'p95') },
  { head: 'lag p50', cell: ({ delta_lag_ms }) => latency(delta_lag_ms, 'p50') },
  { head: 'lag p99', cell: ({ delta_lag_ms }) => latency(delta_lag_ms, 'p99') },
  { head: 'worst', cell: ({ delta_lag_ms }) => latency(delta_lag_ms, 'max') },
  { head: 'final p95', cell: ({ finalization_ms }) => latency(finalization_ms, 'p95') },
  { head: 'deltas/s', cell: (step) => step.deltas_per_second?.avg.toFixed(0) ?? '–' },
  { head: 'slip p99', cell: ({ sender_slip_ms }) => latency(sender_slip_ms, 'p99') },
  { head: 'KV peak', cell: ({ kv }) => blocks(kv.measured_peak_blocks, kv.blocks_max) },
  { head: 'by law', cell: ({ kv }) => blocks(kv.predicted_peak_blocks, null) },
  { head: 'verdict', cell: ({ verdict }) => verdict },
]
/** Wide enough for the widest heading and for `1728/1728`. */
const COLUMN_CHARS = 9

/**
 * A table on `out` (none with `--json`, whose document goes there), and a progress bar on `err`.
 */
export function sweepView(
  terminal: Terminal,
  { clock, json }: { clock: Clock; json: boolean },
): SweepView {
  const say = json ? () => {} : (line: string) => terminal.out(line)
  let headed = false
  const progress = terminal.interactive ? barProgress(terminal, clock) : plainProgress(terminal)
  return {
    ...progress,
    row(step) {
      if (!headed) say(columns(COLUMNS.map(({ head }) => head)))
      headed = true
      say(columns(COLUMNS.map(({ cell }) => cell(step))))
      const lines = [...step.reasons, ...step.notes]
      for (const line of lines) say(`  ${line}`)
    },
  }
}

function columns(cells: readonly string[]): string {
  return cells.map((cell) => cell.padStart(COLUMN_CHARS)).join(' ')
}

function blocks(held: number | null, blocksMax: number | null): string {
  if (held === null) return '–'
  return blocksMax === null ? String(held) : `${held}/${blocksMax}`
}

type Progress = Omit<SweepView, 'row'>

function plainProgress(terminal: Terminal): Progress {
  return {
    stepStarted({ sessions, durationMs }) {
      terminal.err(`${sessions} sessions, ${clockText(durationMs)}`)
    },
    sessionEnded() {},
    tick() {},
    stepEnded(ending) {
      if (ending !== 'complete') terminal.err(`ended: ${ending.replaceAll('_', ' ')}`)
    },
  }
}

/** A bar of time: sessions take as long as their audio. */
function barProgress(terminal: Terminal, clock: Clock): Progress {
  let bar: SingleBar | null = null
  let ended = 0
  let sessions = 0
  let startMs = 0
  let totalMs = 0
  const payload = () => ({
    doneText: clockText(Math.min(clock.monotonicMs() - startMs, totalMs)),
    totalText: clockText(totalMs),
    live: `${sessions - ended} of ${sessions} sessions`,
  })
  return {
    stepStarted(step) {
      ended = 0
      sessions = step.sessions
      startMs = clock.monotonicMs()
      totalMs = step.durationMs
      bar = new SingleBar(
        {
          stream: terminal.errStream as NodeJS.WritableStream,
          format: '{bar} {doneText}/{totalText}  {live}',
          barsize: 40,
          hideCursor: true,
          clearOnComplete: true,
          gracefulExit: false, // the sweep handles signals itself
          fps: 5,
        },
        Presets.shades_classic,
      )
      bar.start(totalMs, 0, payload())
    },
    sessionEnded() {
      ended += 1
    },
    tick() {
      bar?.update(Math.min(clock.monotonicMs() - startMs, totalMs), payload())
    },
    stepEnded() {
      bar?.stop()
      bar = null
    },
  }
}
