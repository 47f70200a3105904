import type { Command } from 'commander'
import type { RunCommand } from '../command-context.js'
import { runRole } from './role.js'

/** `worker` and `standin`: start one program alone, for installations on several machines. */
export function addRoles(program: Command, run: RunCommand): void {
  program
    .command('worker')
    .description('process jobs: analyse recordings, replay them, write transcripts')
    .action(() => run((context) => runRole(context, 'jobs/worker', [])))
  program
    .command('standin')
    .description(
      'the stand-in engine: vLLM Realtime on the wire, no GPU; `standin --help` for its flags',
    )
    .helpOption(false)
    .allowUnknownOption()
    .argument('[flags...]')
    .action((flags: string[]) => run((context) => runRole(context, 'gpu/standin/main', flags)))
}
