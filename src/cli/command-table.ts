import type { Command } from 'commander'
import type { RunCommand } from './command-context.js'

type AddCommand = (program: Command, run: RunCommand) => void

const loadRoles = async () => (await import('./commands/roles.js')).addRoles

/** The commands and where they are, in the order in which help names them. */
const COMMANDS: Readonly<Record<string, () => Promise<AddCommand>>> = {
  up: async () => (await import('./commands/up.js')).addUp,
  transcribe: async () => (await import('./commands/transcribe.js')).addTranscribe,
  submit: async () => (await import('./commands/submit.js')).addSubmit,
  jobs: async () => (await import('./commands/jobs.js')).addJobs,
  plan: async () => (await import('./commands/plan.js')).addPlan,
  sweep: async () => (await import('./commands/sweep.js')).addSweep,
  worker: loadRoles,
  standin: loadRoles,
  clean: async () => (await import('./commands/clean.js')).addClean,
  doctor: async () => (await import('./commands/doctor.js')).addDoctor,
}

/**
 * Adds the command that a command line names, or all where it names none. To load the others as
 * well would take longer than most commands take themselves.
 */
export async function addCommands(
  program: Command,
  run: RunCommand,
  argv: readonly string[],
): Promise<void> {
  const named = COMMANDS[namedFirst(argv) ?? '']
  const loaders = named ? [named] : new Set(Object.values(COMMANDS))
  for (const load of loaders) (await load())(program, run)
}

/** The command, where nothing but our own options stand before it; null where help may be asked. */
function namedFirst(argv: readonly string[]): string | null {
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index] as string
    if (word === '--config') index += 1
    else if (word !== '--verbose' && !word.startsWith('--config=')) {
      return Object.hasOwn(COMMANDS, word) ? word : null
    }
  }
  return null
}
