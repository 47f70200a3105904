import { MultiBar, type SingleBar } from 'cli-progress'
import { printable } from '../../app/printable.js'
import type { JobRecord } from '../../queue/index.js'
import { clockText, type Terminal } from '../terminal.js'
import { waitingText } from './job-report.js'

/** Widest name in a progress line, in characters. */
const NAME_CHARS_MAX = 32
/** Share of a recording after which a plain progress line is printed again: every 25 %. */
const PLAIN_STEP = 0.25

/** Shows jobs while they run. */
export interface ProgressView {
  show(record: JobRecord): void
  /** Prints a line that stays, above the progress bars. */
  note(line: string): void
  close(): void
}

/** Bars on a terminal, plain lines elsewhere; both on stderr. */
export function progressView(terminal: Terminal): ProgressView {
  return terminal.interactive ? barView(terminal) : plainView(terminal)
}

/** `interview.m4a`, or the end of a long path. */
export function shortName(name: string): string {
  const clean = printable(name)
  const tail = [...(clean.split('/').at(-1) || clean)]
  const isShort = tail.length <= NAME_CHARS_MAX
  return isShort ? tail.join('') : `…${tail.slice(1 - NAME_CHARS_MAX).join('')}`
}

/** The state of a job in a few words. */
export function statusText(record: JobRecord): string {
  switch (record.status) {
    case 'created':
    case 'probing':
      return 'reading'
    case 'queued':
      if (record.waiting) return waitingText(record.waiting, record.updatedAtMs)
      return record.error ? `tries again after: ${record.error.code}` : 'waiting'
    case 'admitted':
      return 'starting'
    case 'running':
      return 'transcribing'
    case 'finalizing':
      return 'writing'
    case 'completed':
      return record.warnings.length > 0 ? `done (${record.warnings.join(', ')})` : 'done'
    case 'failed':
      return `failed: ${record.error?.code ?? 'internal'}`
    case 'canceled':
      return 'canceled'
  }
}

function barView(terminal: Terminal): ProgressView {
  const bars = new MultiBar(
    {
      stream: terminal.errStream as NodeJS.WritableStream,
      format: '{name} {bar} {doneText}/{totalText}  {status}',
      barCompleteChar: '█',
      barIncompleteChar: '░',
      barsize: 24,
      hideCursor: true,
      clearOnComplete: false,
      // A note moves all bars down, those that haven't changed as well.
      forceRedraw: true,
      emptyOnZero: true,
      fps: 5,
    },
    {} as ConstructorParameters<typeof MultiBar>[1],
  )
  const byJob = new Map<string, SingleBar>()
  return {
    show(record) {
      const total = Math.max(1, record.audioMsTotal ?? 1)
      const payload = {
        name: shortName(record.sourceName).padEnd(NAME_CHARS_MAX),
        doneText: clockText(record.audioMsDone),
        totalText: record.audioMsTotal === null ? '?' : clockText(record.audioMsTotal),
        status: statusText(record),
      }
      const bar = byJob.get(record.jobId) ?? bars.create(total, 0, payload)
      byJob.set(record.jobId, bar)
      bar.setTotal(total)
      bar.update(Math.min(total, record.audioMsDone), payload)
    },
    note: (line) => bars.log(`${line}\n`),
    close: () => bars.stop(),
  }
}

function plainView(terminal: Terminal): ProgressView {
  const told = new Map<string, { phase: string; done: number }>()
  return {
    show(record) {
      const total = record.audioMsTotal
      const done = total ? record.audioMsDone / total : 0
      const status = statusText(record)
      const last = told.get(record.jobId)
      // The queue position is left out: it changes with every job that ends, and each change would
      // print a line.
      const phase = record.waiting ? 'waits for room' : status
      if (last?.phase === phase && done - last.done < PLAIN_STEP) return
      told.set(record.jobId, { phase, done })
      const amount = total ? ` ${clockText(record.audioMsDone)}/${clockText(total)}` : ''
      terminal.err(`${shortName(record.sourceName)}: ${status}${amount}`)
    },
    note: (line) => terminal.err(line),
    close: () => {},
  }
}
