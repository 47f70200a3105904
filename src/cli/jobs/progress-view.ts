import { MultiBar, type SingleBar } from 'cli-progress'
import { printable } from '../../app/printable.js'
import type { JobCard } from '../../queue/index.js'
import { clockText, type Terminal } from '../terminal.js'
import { waitingText } from './job-story.js'

/** Widest name in a progress line. */
const NAME_CHARS_MAX = 32
/** Progress of a job in plain lines is told whenever so much more of it is done. */
const PLAIN_STEP = 0.25

/** Shows jobs while they run. */
export interface ProgressView {
  show(card: JobCard): void
  /** A line that stays, above the bars. */
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

/** What a card says in a few words. */
export function statusText(card: JobCard): string {
  switch (card.status) {
    case 'created':
    case 'probing':
      return 'reading'
    case 'queued':
      if (card.waiting) return waitingText(card.waiting, card.updatedAtMs)
      return card.error ? `tries again after: ${card.error.code}` : 'waiting'
    case 'admitted':
      return 'starting'
    case 'running':
      return 'transcribing'
    case 'finalizing':
      return 'writing'
    case 'completed':
      return card.warnings.length > 0 ? `done (${card.warnings.join(', ')})` : 'done'
    case 'failed':
      return `failed: ${card.error?.code ?? 'internal'}`
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
      emptyOnZero: true,
      fps: 5,
    },
    {} as ConstructorParameters<typeof MultiBar>[1],
  )
  const byJob = new Map<string, SingleBar>()
  return {
    show(card) {
      const total = Math.max(1, card.audioMsTotal ?? 1)
      const payload = {
        name: shortName(card.sourceName).padEnd(NAME_CHARS_MAX),
        doneText: clockText(card.audioMsDone),
        totalText: card.audioMsTotal === null ? '?' : clockText(card.audioMsTotal),
        status: statusText(card),
      }
      const bar = byJob.get(card.jobId) ?? bars.create(total, 0, payload)
      byJob.set(card.jobId, bar)
      bar.setTotal(total)
      bar.update(Math.min(total, card.audioMsDone), payload)
    },
    note: (line) => bars.log(`${line}\n`),
    close: () => bars.stop(),
  }
}

function plainView(terminal: Terminal): ProgressView {
  const told = new Map<string, { phase: string; done: number }>()
  return {
    show(card) {
      const total = card.audioMsTotal
      const done = total ? card.audioMsDone / total : 0
      const status = statusText(card)
      const last = told.get(card.jobId)
      // Its place in the line changes with every job that ends: told once, when it begins to wait.
      const phase = card.waiting ? 'waits for room' : status
      if (last?.phase === phase && done - last.done < PLAIN_STEP) return
      told.set(card.jobId, { phase, done })
      const amount = total ? ` ${clockText(card.audioMsDone)}/${clockText(total)}` : ''
      terminal.err(`${shortName(card.sourceName)}: ${status}${amount}`)
    },
    note: (line) => terminal.err(line),
    close: () => {},
  }
}
