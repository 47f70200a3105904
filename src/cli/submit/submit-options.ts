import type { Command } from 'commander'
import { InputError } from '../../kernel/errors.js'
import type { ChannelMode } from '../../media/index.js'
import type { Pace } from '../../media/replay-schedule.js'
import { PRIORITY_MAX } from '../../queue/bullmq-job-queue.js'

/** How recordings given on the command line shall be transcribed. */
export interface SubmitOptions {
  channels: ChannelMode
  pace: Pace
  priority: number
  /** ISO 8601, or null. */
  deadlineAt: string | null
}

/** The same as the user writes them. */
export interface RawSubmitOptions {
  channels: string
  pace: string
  priority: string
  by?: string
}

/** Adds them to a command. */
export function addSubmitOptions(command: Command): Command {
  return command
    .option('--channels <mix|split>', 'mix all channels, or a transcript lane for each', 'mix')
    .option('--pace <number|max>', 'times real time, or as fast as the engine keeps up', '1')
    .option('--priority <0-1000>', 'higher goes first', '0')
    .option('--by <time>', 'wanted by this time: 06:00, or an ISO date and time')
}

/** @throws InputError naming the option */
export function parseSubmitOptions(raw: RawSubmitOptions, nowMs: number): SubmitOptions {
  return {
    channels: parseChannels(raw.channels),
    pace: parsePace(raw.pace),
    priority: parsePriority(raw.priority),
    deadlineAt: raw.by === undefined ? null : parseDeadline(raw.by, nowMs),
  }
}

function parseChannels(text: string): ChannelMode {
  if (text === 'mix' || text === 'split') return text
  throw wrong('--channels', text, 'mix or split')
}

function parsePace(text: string): Pace {
  if (text === 'max') return 'max'
  const pace = Number(text)
  if (pace >= 0.1 && pace <= 20) return pace
  throw wrong('--pace', text, 'a number from 0.1 to 20, or max')
}

function parsePriority(text: string): number {
  const priority = Number(text)
  if (Number.isInteger(priority) && priority >= 0 && priority <= PRIORITY_MAX) return priority
  throw wrong('--priority', text, `a whole number from 0 to ${PRIORITY_MAX}`)
}

function parseDeadline(text: string, nowMs: number): string {
  const at = deadlineOf(text, nowMs)
  if (at !== null) return at
  throw wrong('--by', text, 'a time such as 06:00 or 2026-11-22T06:00')
}

/**
 * ISO 8601 of `06:00`, the next time that the local clock shows it, or of an ISO date and time;
 * null for anything else.
 */
export function deadlineOf(text: string, nowMs: number): string | null {
  const [, hours, minutes] = /^(\d{1,2}):(\d{2})$/.exec(text) ?? []
  if (hours !== undefined && Number(hours) < 24 && Number(minutes) < 60) {
    const due = new Date(nowMs)
    due.setHours(Number(hours), Number(minutes), 0, 0)
    if (due.getTime() <= nowMs) due.setDate(due.getDate() + 1)
    return due.toISOString()
  }
  const atMs = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isFinite(atMs) ? new Date(atMs).toISOString() : null
}

function wrong(option: string, text: string, wanted: string): InputError {
  return new InputError('input_unsupported', `${option} takes ${wanted}, not "${text}".`)
}
