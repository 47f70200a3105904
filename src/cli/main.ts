import { Command, CommanderError } from 'commander'
import { commandContext, type GlobalOptions, type RunCommand } from './command-context.js'
import { addDoctor } from './commands/doctor.js'
import { addJobs } from './commands/jobs.js'
import { addPlan } from './commands/plan.js'
import { addRoles } from './commands/roles.js'
import { addSubmit } from './commands/submit.js'
import { addSweep } from './commands/sweep.js'
import { addTranscribe } from './commands/transcribe.js'
import { addUp } from './commands/up.js'
import { EXIT, exitCodeOf, sentenceOf } from './exit-code.js'
import { productVersion } from './product-version.js'
import { stopSignals } from './stop-signals.js'

/**
 * Runs one command line. Sets the exit code; errors become one sentence on stderr.
 * @param argv without the interpreter and the program: `['jobs', 'show', 'x']`
 */
export async function main(argv: readonly string[]): Promise<void> {
  const program = new Command('nightscribe')
    .description('Overnight transcription of meeting archives on your own GPUs')
    .version(productVersion())
    .option('--config <name>', 'settings from config/<name>.yaml')
    .option('--verbose', 'stack traces with errors')
    .enablePositionalOptions()
    .exitOverride()
    .showHelpAfterError('(--help says more)')
  const run: RunCommand = async (body) => {
    const options = program.opts<GlobalOptions>()
    using stop = stopSignals()
    try {
      process.exitCode = await body(commandContext(stop, options))
    } catch (error) {
      process.exitCode = exitCodeOf(error)
      if (process.exitCode !== EXIT.stopped) {
        process.stderr.write(`${sentenceOf(error, options.verbose === true)}\n`)
      }
    }
  }
  const commands = [
    addUp,
    addTranscribe,
    addSubmit,
    addJobs,
    addPlan,
    addSweep,
    addRoles,
    addDoctor,
  ]
  for (const add of commands) add(program, run)
  try {
    await program.parseAsync([...argv], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.input // it has said why
  }
}
