import { readFile } from 'node:fs/promises'
import { InputError, reasonOf, systemCode } from '../../kernel/errors.js'
import type { Pace } from '../../media/replay-schedule.js'
import { deadlineOf, PRIORITY_MAX } from '../../queue/contract/submission-options.js'
import type { PlanRecording } from './plan-recording.js'

/** Largest file in bytes that is read; a line has about 40 bytes. */
const CSV_BYTES_MAX = 32 * 2 ** 20
/** Longest recording in ms; a longer one is taken for a wrong unit in the file. */
const DURATION_MS_MAX = 7 * 24 * 3_600_000

/** Values that apply to every line. */
export interface CsvDefaults {
  pace: Pace
  /** Lanes of each recording. */
  lanes: number
  nowMs: number
}

/**
 * Reads a file of durations. @throws InputError naming the file, and the line where one is wrong
 */
export async function readCsv(path: string, defaults: CsvDefaults): Promise<PlanRecording[]> {
  const bytes = await readFile(path).catch((cause) => {
    const isMissing = systemCode(cause) === 'ENOENT'
    const sentence = isMissing
      ? `There is no ${path}.`
      : `${path} can't be read: ${reasonOf(cause)}.`
    throw new InputError('input_not_found', sentence, { cause })
  })
  if (bytes.length > CSV_BYTES_MAX) {
    throw new InputError('media_too_large', `${path} is larger than ${CSV_BYTES_MAX} bytes.`)
  }
  return parseCsv(bytes.toString('utf8'), { ...defaults, path })
}

/**
 * Parses lines `name,duration[,priority[,by]]`: the duration in seconds or as h:mm:ss, `by` as for
 * `submit --by`. Skips a heading, empty lines, and lines that begin with #. Names may be in double
 * quotes.
 *
 * @throws InputError naming file and line
 */
export function parseCsv(text: string, options: CsvDefaults & { path: string }): PlanRecording[] {
  const recordings: PlanRecording[] = []
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/)
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const cells = cellsOf(line)
    const isHeading = recordings.length === 0 && /^(duration|length)/i.test(cells[1] ?? '')
    if (isHeading) continue
    recordings.push(recordingOf(cells, { ...options, line: index + 1 }))
  }
  if (recordings.length > 0) return recordings
  throw new InputError('input_unsupported', `${options.path} holds no lengths; ${FORMAT}`)
}

const FORMAT = 'each line is name,duration (seconds or h:mm:ss)[,priority[,by]].'

function recordingOf(
  cells: readonly string[],
  options: CsvDefaults & { path: string; line: number },
): PlanRecording {
  const { path, line, pace, lanes, nowMs } = options
  const [name = '', length = '', priorityText = '', by = ''] = cells
  const durationMs = durationOf(length)
  if (durationMs === null || cells.length > 4) {
    const what = cells.length > 4 ? 'has more than four columns' : `has no duration ("${length}")`
    throw new InputError('input_unsupported', `${path}, line ${line}, ${what}; ${FORMAT}`)
  }
  const priority = Number(priorityText || '0')
  if (!Number.isInteger(priority) || priority < 0 || priority > PRIORITY_MAX) {
    throw new InputError(
      'input_unsupported',
      `${path}, line ${line}: a priority is a whole number from 0 to ${PRIORITY_MAX}, not "${priorityText}".`,
    )
  }
  return {
    id: `${line}`,
    name: name || `line ${line}`,
    durationMs,
    lengthFrom: 'given',
    lanes: Array.from({ length: lanes }, () => ({ pausesMs: null })),
    pace,
    priority,
    deadlineMs: by === '' ? null : parseBy(by, { path, line, nowMs }),
    isRunning: false,
    doneMs: 0,
  }
}

function parseBy(
  text: string,
  { path, line, nowMs }: { path: string; line: number; nowMs: number },
): number {
  const deadlineAt = deadlineOf(text, nowMs)
  if (deadlineAt !== null) return Date.parse(deadlineAt)
  throw new InputError(
    'input_unsupported',
    `${path}, line ${line}: by is a time such as 06:00 or 2026-11-22T06:00, not "${text}".`,
  )
}

/** Parses seconds, m:ss or h:mm:ss; null for anything else, for 0 and for more than a week. */
function durationOf(text: string): number | null {
  const [, hours, minutes, seconds = ''] =
    /^(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)$/.exec(text.trim()) ?? []
  if (seconds === '' || (minutes !== undefined && Number(seconds) >= 60)) return null
  if (hours !== undefined && Number(minutes) >= 60) return null
  const wholeMinutes = Number(hours ?? 0) * 60 + Number(minutes ?? 0)
  const durationMs = (wholeMinutes * 60 + Number(seconds)) * 1000
  return durationMs > 0 && durationMs <= DURATION_MS_MAX ? Math.round(durationMs) : null
}

/** Columns of one line. A quoted one may contain commas, and quotes written twice. */
function cellsOf(line: string): string[] {
  const cells: string[] = []
  for (const match of line.matchAll(/(?:^|[,;])(?:\s*"((?:[^"]|"")*)"\s*|([^,;]*))/g)) {
    const [, quoted, plain = ''] = match
    cells.push(quoted === undefined ? plain.trim() : quoted.replaceAll('""', '"'))
  }
  return cells
}
