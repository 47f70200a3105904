import type { Command } from 'commander'
import { EXIT } from '../../app/exit-code.js'
import { printable } from '../../app/printable.js'
import type { CommandContext, RunCommand } from '../command-context.js'
import { errorLine } from '../error-line.js'
import { openRunning } from '../open-running.js'
import {
  addSubmitOptions,
  parseSubmitOptions,
  type RawSubmitOptions,
} from '../submit/submit-options.js'
import { type Submitted, submitSources } from '../submit/submit-sources.js'

interface Options extends RawSubmitOptions {
  json?: boolean
}

/** `submit`: queues recordings and returns at once. */
export function addSubmit(program: Command, run: RunCommand): void {
  const command = program
    .command('submit')
    .description('queue recordings and return their job ids')
    .argument('<source...>', 'files, folders, s3://… or https://…')
    .option('--json', 'print one JSON document')
  addSubmitOptions(command).action((sources: string[], options: Options) =>
    run((context) => submit(context, sources, options)),
  )
}

async function submit(
  context: CommandContext,
  sources: readonly string[],
  raw: Options,
): Promise<number> {
  const options = parseSubmitOptions(raw, context.clock.wallMs())
  const signal = context.stop.drain
  await using ports = await openRunning(context, signal)
  const submitted = await submitSources(context, ports, { arguments: sources, options, signal })
  if (raw.json) {
    context.terminal.out(JSON.stringify({ jobs: submitted.map(submittedJson) }, null, 2))
  } else {
    for (const result of submitted) print(context, result)
  }
  if (submitted.some(({ error }) => error?.code === 'config_invalid')) return EXIT.config
  return submitted.some(({ outcome }) => outcome !== null) ? EXIT.done : EXIT.input
}

function print({ terminal }: CommandContext, { name, outcome, error }: Submitted): void {
  if (outcome) terminal.out(`${outcome.jobId}  ${outcome.kind.padEnd(7)}  ${printable(name)}`)
  if (error) terminal.err(errorLine(name, { code: error.code, detail: error.message }))
}

function submittedJson({ name, outcome, error }: Submitted): object {
  return {
    name,
    job_id: outcome?.jobId ?? null,
    state: outcome?.kind ?? null,
    error: error ? { code: error.code, detail: error.message } : null,
  }
}
