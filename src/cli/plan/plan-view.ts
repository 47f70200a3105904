import { printable } from '../../app/printable.js'
import type { JobForecast } from '../../planning/night-course.js'
import { timeText } from '../jobs/job-report.js'
import { clockText, type Terminal, table } from '../terminal.js'
import type { PlanFindings } from './plan-report.js'
import { deadlineSentences, nightSentences, policyRows, shortened } from './plan-text.js'

/** Most recordings shown without `--all`. */
const SHOWN_MAX = 20
/** Most sentences shown about recordings that can't be transcribed or read. */
const COMPLAINTS_MAX = 5

/** Prints a plan for a person: the recordings, then the night's end and cost. */
export function showPlan(
  terminal: Terminal,
  findings: PlanFindings,
  options: { all: boolean },
): void {
  const { notes, sources, engines, night, nowMs, compared } = findings
  const { recordings, unreadable, from } = sources
  const audioMs = recordings.reduce((sum, { durationMs }) => sum + durationMs, 0)
  const count = recordings.length === 1 ? '1 recording' : `${recordings.length} recordings`
  terminal.out(
    `${count} from ${printable(from)}, ${clockText(audioMs)} of audio; ${engines.text}, policy ${night.policy}.`,
  )
  for (const note of notes) terminal.out(note)
  complain(terminal, unreadable)
  showJobs(terminal, findings, options)
  terminal.out('')
  for (const sentence of nightSentences(night, nowMs)) terminal.out(sentence)
  showLate(terminal, findings)
  if (compared) {
    terminal.out('')
    for (const line of table(policyRows(compared, nowMs))) terminal.out(line)
  }
  showDeadline(terminal, findings)
}

function showJobs(
  terminal: Terminal,
  { night, sources, nowMs }: PlanFindings,
  { all }: { all: boolean },
): void {
  const { jobs, refused } = night.forecast
  const byId = new Map(sources.recordings.map((recording) => [recording.id, recording]))
  const shown = all ? jobs : jobs.slice(0, SHOWN_MAX)
  const rows = shown.map((job) => {
    const recording = byId.get(job.jobId)
    const starts = recording?.isRunning ? 'runs' : timeText(job.startMs, nowMs)
    const isGuessed = recording?.lengthFrom === 'size'
    const length = `${isGuessed ? '~' : ''}${clockText(recording?.durationMs ?? 0)}`
    const late = isLate(job, recording?.deadlineMs ?? null) ? ' (late)' : ''
    const done = timeText(job.finishMs, nowMs) + late
    return [starts, done, length, shortened(recording?.name ?? job.jobId)]
  })
  if (rows.length > 0) {
    terminal.out('')
    for (const line of table([['starts', 'done', 'length', 'recording'], ...rows])) {
      terminal.out(line)
    }
  }
  const more = jobs.length - shown.length
  if (more > 0) terminal.out(`… and ${more} more; --all shows them.`)
  complain(
    terminal,
    refused.map(({ sentence }) => sentence),
  )
}

function showLate(terminal: Terminal, { night, sources, nowMs }: PlanFindings): void {
  const deadlines = new Map(sources.recordings.map(({ id, deadlineMs }) => [id, deadlineMs]))
  const { jobs } = night.forecast
  const late = jobs.filter((job) => isLate(job, deadlines.get(job.jobId) ?? null))
  const wanted = jobs.filter((job) => (deadlines.get(job.jobId) ?? null) !== null)
  if (wanted.length === 0) return
  const whose =
    wanted.length === 1
      ? 'the one with a deadline of its own'
      : `${wanted.length} with a deadline of their own`
  const latest = late.reduce((last, { finishMs }) => Math.max(last, finishMs), 0)
  terminal.out(
    late.length === 0
      ? `In time: ${whose}.`
      : `Too late: ${late.length} of ${whose}; the last one is done ${timeText(latest, nowMs)}.`,
  )
}

function showDeadline(terminal: Terminal, findings: PlanFindings): void {
  const { deadline, night, nowMs } = findings
  if (deadline === null) return
  if (findings.compared) terminal.out('')
  const { finishMs } = night.forecast
  const options = { finishMs, nowMs }
  const { sentences, rows, conclusion } = deadlineSentences(deadline, options)
  for (const sentence of sentences) terminal.out(sentence)
  if (rows.length > 0) terminal.out('')
  for (const line of table(rows)) terminal.out(`  ${line}`)
  if (rows.length > 0) terminal.out('')
  for (const sentence of conclusion) terminal.out(sentence)
}

function complain(terminal: Terminal, sentences: readonly string[]): void {
  for (const sentence of sentences.slice(0, COMPLAINTS_MAX)) {
    terminal.out(`Left out: ${printable(sentence)}`)
  }
  const more = sentences.length - COMPLAINTS_MAX
  if (more > 0) terminal.out(`… and ${more} more are left out.`)
}

function isLate(job: JobForecast, deadlineMs: number | null): boolean {
  return deadlineMs !== null && job.finishMs > deadlineMs
}
