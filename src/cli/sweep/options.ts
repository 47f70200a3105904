import type { Command } from 'commander'
import { InputError } from '../../kernel/errors.js'

/** The options of a sweep, parsed. */
export interface SweepOptions {
  /** Number of sessions of each step, ascending. */
  sessions: readonly number[]
  /** How many seconds of audio time each session is sent audio. */
  seconds: number
  /** Multiple of real time at which audio is sent. */
  pace: number
  slaMs: number
  /** Realtime address; null: from the setting `engines`. */
  engine: string | null
  /** Folder for the report; null: object storage. */
  out: string | null
  /** A file or `s3://bucket/key`; null: the speech of a sample. */
  audio: string | null
  seed: number
  /** Whether sessions wait for the workers' admission instead of going straight to the engine. */
  admit: boolean
  /** Whether to go on after a step that fails. */
  all: boolean
  /** Whether to overfill the engine without asking. */
  yes: boolean
  json: boolean
}

/** The options of a sweep, as text from the command line. */
export interface RawSweepOptions {
  sessions: string
  seconds: string
  pace: string
  slaMs: string
  seed: string
  engine?: string
  out?: string
  audio?: string
  admit?: boolean
  all?: boolean
  yes?: boolean
  json?: boolean
  compare?: boolean
}

/** Adds the options of a sweep to a command. */
export function addSweepOptions(command: Command): Command {
  return command
    .option('--sessions <list>', 'sessions at a time, a step each', '8,32,64,100')
    .option('--seconds <number>', 'how long each step sends audio to its sessions', '60')
    .option('--engine <url>', 'realtime address, instead of the setting engines')
    .option('--out <folder>', 'write the report there instead of into storage')
    .option('--pace <number>', 'times real time', '1')
    .option('--sla-ms <number>', 'p99 of delta lag that a step must keep', '2000')
    .option('--audio <source>', 'a file or s3://bucket/key, looped, instead of a sample’s speech')
    .option('--seed <number>', 'seed for the times at which sessions start', '1')
    .option('--admit', 'admit sessions as the workers do (needs their Redis)')
    .option('--all', 'go on after a step that fails')
    .option('--yes', 'do not ask before the engine is overfilled')
    .option('--json', 'print one JSON document')
}

/** @throws InputError naming the option */
export function parseSweepOptions(raw: RawSweepOptions): SweepOptions {
  return {
    sessions: parseSessions(raw.sessions),
    seconds: numberIn('--seconds', raw.seconds, { min: 1, max: 86_400, whole: true }),
    pace: numberIn('--pace', raw.pace, { min: 0.1, max: 20, whole: false }),
    slaMs: numberIn('--sla-ms', raw.slaMs, { min: 100, max: 600_000, whole: true }),
    seed: numberIn('--seed', raw.seed, { min: 0, max: 2 ** 32 - 1, whole: true }),
    engine: raw.engine === undefined ? null : parseEngine(raw.engine),
    out: raw.out ?? null,
    audio: raw.audio ?? null,
    admit: raw.admit === true,
    all: raw.all === true,
    yes: raw.yes === true,
    json: raw.json === true,
  }
}

function parseSessions(text: string): number[] {
  const counts = text.split(',').map((part) => Number(part.trim() || Number.NaN))
  if (counts.every((count) => Number.isInteger(count) && count >= 1 && count <= 1000)) {
    return [...new Set(counts)].sort((left, right) => left - right)
  }
  throw wrong('--sessions', text, 'whole numbers from 1 to 1000, such as 8,32,64,100')
}

function parseEngine(text: string): string {
  if (/^wss?:\/\/[^/]+/.test(text) && URL.canParse(text)) return text
  throw wrong('--engine', text, 'an address such as ws://gpu-node:8000/v1/realtime')
}

function numberIn(
  option: string,
  text: string,
  { min, max, whole }: { min: number; max: number; whole: boolean },
): number {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (value >= min && value <= max && (!whole || Number.isInteger(value))) return value
  throw wrong(option, text, `a ${whole ? 'whole ' : ''}number from ${min} to ${max}`)
}

function wrong(option: string, text: string, wanted: string): InputError {
  return new InputError('input_unsupported', `${option} takes ${wanted}, not "${text}".`)
}
