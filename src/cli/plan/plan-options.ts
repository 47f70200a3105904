import type { Command } from 'commander'
import type { Policy } from '../../admission/load/engine-plan.js'
import { InputError } from '../../kernel/errors.js'
import type { ChannelMode } from '../../media/index.js'
import type { Pace } from '../../media/replay-schedule.js'
import { parseSubmitOptions } from '../submit/submit-options.js'

/** Policies in the order of comparison, from the simplest to our own. */
export const POLICIES: readonly Policy[] = ['fixed', 'reserve', 'profile', 'elastic']
const ENGINES_MAX = 256

/** The options of `plan`, parsed. */
export interface PlanOptions {
  /** A file of durations; null: plan the queue, or the sources named. */
  csv: string | null
  /** Applies to recordings that aren't jobs yet, as `pace` does. */
  channels: ChannelMode
  pace: Pace
  /** Deadline of the whole night in ms of the Unix epoch; null: none. */
  byMs: number | null
  /** The policy to plan with; null: the one of the settings. */
  policy: Policy | null
  compare: boolean
  ceiling: 'on' | 'off'
  gpu: string | null
  engines: number | null
  /** Price of one engine for one hour; null: from the setting or the GPU profile. */
  pricePerHour: number | null
  seed: number
  /** Whether to print every job instead of the first ones. */
  all: boolean
  json: boolean
}

/** The options of `plan`, as text from the command line. */
export interface RawPlanOptions {
  csv?: string
  channels: string
  pace: string
  by?: string
  policy?: string
  comparePolicies?: boolean
  ceiling: string
  gpu?: string
  engines?: string
  price?: string
  seed: string
  all?: boolean
  json?: boolean
}

/** Adds the options of `plan` to a command. */
export function addPlanOptions(command: Command): Command {
  return command
    .option(
      '--by <time>',
      'whether all is done by 06:00, or an ISO date and time; else what would help',
    )
    .option(
      '--csv <file>',
      'durations from a file: name,duration (seconds or h:mm:ss)[,priority,by]',
    )
    .option('--policy <name>', `${POLICIES.join(', ')}, instead of the setting`)
    .option('--compare-policies', 'all policies side by side')
    .option('--gpu <profile>', 'plan for engines on this GPU: l4, l40s, h100-80, h200')
    .option('--engines <n>', 'number of engines to plan for')
    .option('--price <number>', 'price of one engine for an hour, instead of the setting')
    .option('--channels <mix|split>', 'for recordings that are no jobs yet', 'mix')
    .option('--pace <number|max>', 'for recordings that are no jobs yet, times real time', '1')
    .option('--ceiling <on|off>', 'off: no recording is ever cut, for comparison', 'on')
    .option('--seed <number>', 'seed for pauses that are not known', '1')
    .option('--all', 'every recording, not only the first ones')
    .option('--json', 'print one JSON document')
}

/** @throws InputError naming the option */
export function parsePlanOptions(raw: RawPlanOptions, nowMs: number): PlanOptions {
  const { channels, pace, by } = raw
  const asSubmitted = { channels, pace, priority: '0', ...(by === undefined ? {} : { by }) }
  const submitted = parseSubmitOptions(asSubmitted, nowMs)
  const { deadlineAt } = submitted
  const byMs = deadlineAt === null ? null : Date.parse(deadlineAt)
  if (byMs !== null && byMs <= nowMs) throw wrong('--by', by ?? '', 'a time that is still to come')
  return {
    csv: raw.csv ?? null,
    channels: submitted.channels,
    pace: submitted.pace,
    byMs,
    policy: raw.policy === undefined ? null : parsePolicy(raw.policy),
    compare: raw.comparePolicies === true,
    ceiling: parseCeiling(raw.ceiling),
    gpu: raw.gpu ?? null,
    engines: raw.engines === undefined ? null : parseCount(raw.engines),
    pricePerHour: raw.price === undefined ? null : parsePrice(raw.price),
    seed: parseSeed(raw.seed),
    all: raw.all === true,
    json: raw.json === true,
  }
}

function parsePolicy(text: string): Policy {
  const policy = POLICIES.find((name) => name === text)
  if (policy) return policy
  throw wrong('--policy', text, POLICIES.join(', '))
}

function parseCeiling(text: string): 'on' | 'off' {
  if (text === 'on' || text === 'off') return text
  throw wrong('--ceiling', text, 'on or off')
}

function parseCount(text: string): number {
  const count = Number(text)
  if (Number.isInteger(count) && count >= 1 && count <= ENGINES_MAX) return count
  throw wrong('--engines', text, `a whole number from 1 to ${ENGINES_MAX}`)
}

function parsePrice(text: string): number {
  const price = Number(text)
  if (text.trim() !== '' && price >= 0 && price <= 10_000) return price
  throw wrong('--price', text, 'a number from 0 to 10000')
}

function parseSeed(text: string): number {
  const seed = Number(text)
  if (Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32) return seed
  throw wrong('--seed', text, 'a whole number')
}

function wrong(option: string, text: string, wanted: string): InputError {
  return new InputError('input_unsupported', `${option} takes ${wanted}, not "${text}".`)
}
