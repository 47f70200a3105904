import { Command, CommanderError } from 'commander'
import { EXIT, exitCodeOf, sentenceOf } from '../app/exit-code.js'
import { watchOutputs } from '../app/output-pipes.js'
import { productVersion } from '../app/product-version.js'
import { stopSignals } from '../app/stop-signals.js'
import { isStop } from '../kernel/errors.js'
import { commandContext, type GlobalOptions, type RunCommand } from './command-context.js'
import { addCommands } from './command-table.js'

/**
 * Runs one command line and sets the exit code. Errors become one sentence on stderr.
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
  const outputs = watchOutputs(process.stdout, process.stderr)
  const { closed } = outputs
  // 0 where the reader of stdout closed the pipe, as in `nightscribe jobs | head`: it has read what
  // it wanted, so that isn't a stop.
  const ended = (code: number) => (closed.aborted && code === EXIT.stopped ? EXIT.done : code)
  const run: RunCommand = async (body) => {
    const options = program.opts<GlobalOptions>()
    using stop = stopSignals(closed)
    try {
      const code = await body(commandContext(stop, options))
      await outputs.flushed()
      if (closed.aborted && !isStop(closed.reason)) throw closed.reason
      process.exitCode = ended(code)
    } catch (error) {
      process.exitCode = ended(exitCodeOf(error))
      if (!isStop(error)) {
        process.stderr.write(`${sentenceOf(error, options.verbose === true)}\n`)
      }
    }
  }
  await addCommands(program, run, argv)
  try {
    await program.parseAsync([...argv], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.input // commander has printed why
  }
}
