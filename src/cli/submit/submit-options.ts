import type { Command } from 'commander'
import {
  COMMAND_LINE_NAMES,
  parseSubmission,
  SUBMISSION_DEFAULTS,
  type SubmissionOptions,
} from '../../queue/contract/submission-options.js'

/** Options of a submission, as text from the command line. */
export interface RawSubmitOptions {
  channels: string
  /** Absent: the command's default. */
  pace?: string
  priority: string
  by?: string
}

/**
 * Adds the options of a submission to a command.
 * @param options.paceDefault says where the pace is another than 1 if it isn't given
 */
export function addSubmitOptions(
  command: Command,
  { paceDefault = `default: ${SUBMISSION_DEFAULTS.pace}` }: { paceDefault?: string } = {},
): Command {
  const { channels, priority } = SUBMISSION_DEFAULTS
  return command
    .option('--channels <mix|split>', 'mix all channels, or a transcript lane for each', channels)
    .option(
      '--pace <number|max>',
      `times real time, or as fast as the engine keeps up (${paceDefault})`,
    )
    .option('--priority <0-1000>', 'higher goes first', String(priority))
    .option('--by <time>', 'wanted by this time: 06:00, or an ISO date and time')
}

/**
 * @param paceDefault where `--pace` isn't given
 * @throws InputError naming each option that is wrong
 */
export function parseSubmitOptions(
  raw: RawSubmitOptions,
  nowMs: number,
  paceDefault: SubmissionOptions['pace'] = SUBMISSION_DEFAULTS.pace,
): SubmissionOptions {
  const { channels, pace = String(paceDefault), priority, by: deadlineAt } = raw
  return parseSubmission(
    { channels, pace, priority, deadlineAt },
    { names: COMMAND_LINE_NAMES, nowMs },
  )
}
