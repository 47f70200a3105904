import type { Command } from 'commander'
import { isoTime } from '../../kernel/clock.js'
import { InputError } from '../../kernel/errors.js'
import { readManifest } from '../../pipeline/commit-result.js'
import { cancelJob, retryJob } from '../../pipeline/end-job.js'
import type { JobCard, JobWaiting } from '../../queue/index.js'
import type { CommandContext, RunCommand } from '../command-context.js'
import { EXIT } from '../exit-code.js'
import { jobStory } from '../job-story.js'
import { openRunning } from '../open-running.js'
import { shortName, statusText } from '../progress-view.js'
import { clockText, table } from '../terminal.js'

/** Entries of a job's stream that `logs` prints at most. */
const LOG_ENTRIES_MAX = 5_000

/** `jobs [list, show, cancel, retry, logs]`. */
export function addJobs(program: Command, run: RunCommand): void {
  const jobs = program.command('jobs').description('look at jobs and act on them')
  jobs
    .command('list', { isDefault: true })
    .description('the newest jobs')
    .option('--limit <n>', 'how many', '20')
    .option('--json', 'print one JSON document')
    .action((options: { limit: string; json?: boolean }) =>
      run((context) => list(context, options)),
    )
  jobs
    .command('show <id>')
    .description('what happened to a job')
    .option('--json', 'print one JSON document')
    .action((id: string, options: { json?: boolean }) =>
      run((context) => show(context, id, options.json === true)),
    )
  jobs
    .command('cancel <id>')
    .description('cancel a job that waits or runs')
    .action((id: string) => run((context) => cancel(context, id)))
  jobs
    .command('retry <id>')
    .description('start a failed or canceled job again')
    .action((id: string) => run((context) => retry(context, id)))
  jobs
    .command('logs <id>')
    .description('the live stream of a job: states, progress, text')
    .action((id: string) => run((context) => logs(context, id)))
}

async function list(
  context: CommandContext,
  options: { limit: string; json?: boolean },
): Promise<number> {
  const limit = Number(options.limit)
  if (!Number.isInteger(limit) || limit < 1 || limit > 10_000) {
    throw new InputError('input_unsupported', `--limit takes 1 to 10000, not "${options.limit}".`)
  }
  await using ports = await openRunning(context, context.stop.drain)
  const cards = await ports.board.list({ limit })
  if (options.json) {
    context.terminal.out(JSON.stringify({ jobs: cards.map(cardJson) }, null, 2))
    return EXIT.done
  }
  if (cards.length === 0)
    context.terminal.err('No jobs yet; `nightscribe submit <file>` makes one.')
  const rows = cards.map((card) => [
    card.jobId,
    statusText(card),
    progressText(card),
    shortName(card.sourceName),
  ])
  for (const line of table(rows)) context.terminal.out(line)
  return EXIT.done
}

function progressText({ audioMsDone, audioMsTotal }: JobCard): string {
  return `${clockText(audioMsDone)}/${audioMsTotal === null ? '?' : clockText(audioMsTotal)}`
}

async function show(context: CommandContext, jobId: string, json: boolean): Promise<number> {
  const signal = context.stop.drain
  await using ports = await openRunning(context, signal)
  const card = await ports.board.get(jobId)
  if (!card) throw notFound(jobId)
  const manifest = await readManifest(ports.store, jobId, { signal })
  if (json) {
    const document = { ...cardJson(card), outputs: manifest?.outputs ?? [] }
    context.terminal.out(JSON.stringify(document, null, 2))
  } else {
    const location = ports.store.location
    for (const line of jobStory(card, manifest, { location, nowMs: context.clock.wallMs() })) {
      context.terminal.out(line)
    }
  }
  return EXIT.done
}

async function cancel(context: CommandContext, jobId: string): Promise<number> {
  const signal = context.stop.drain
  await using ports = await openRunning(context, signal)
  const outcome = await cancelJob(ports, jobId, { signal })
  const said = {
    canceled: `Job ${jobId} is canceled.`,
    requested: `Job ${jobId} runs; its worker has been told to stop it.`,
    ended: `Job ${jobId} had ended before; nothing was canceled.`,
  }
  context.terminal.out(said[outcome])
  return EXIT.done
}

async function retry(context: CommandContext, jobId: string): Promise<number> {
  const signal = context.stop.drain
  await using ports = await openRunning(context, signal)
  await retryJob(ports, jobId, { signal })
  context.terminal.out(`Job ${jobId} is queued again.`)
  return EXIT.done
}

async function logs(context: CommandContext, jobId: string): Promise<number> {
  await using ports = await openRunning(context, context.stop.drain)
  if (!(await ports.board.get(jobId))) throw notFound(jobId)
  const entries = await ports.board.events(jobId, { afterId: '0', limit: LOG_ENTRIES_MAX })
  for (const { atMs, event } of entries) {
    context.terminal.out(JSON.stringify({ at: new Date(atMs).toISOString(), ...event }))
  }
  return EXIT.done
}

function notFound(jobId: string): InputError {
  return new InputError(
    'job_not_found',
    `There is no job ${jobId}; \`nightscribe jobs\` lists them.`,
  )
}

function cardJson(card: JobCard): object {
  return {
    id: card.jobId,
    object: 'transcription.job',
    status: card.status,
    source: card.sourceName,
    priority: card.priority,
    deadline_at: card.deadlineAt,
    progress: { audio_ms_done: card.audioMsDone, audio_ms_total: card.audioMsTotal },
    attempts: card.attempts,
    error: card.error,
    waiting: card.waiting && waitingJson(card.waiting),
    warnings: card.warnings,
    engine_is_standin: card.engineIsStandin,
    timestamps: Object.fromEntries(
      Object.entries(card.reachedAtMs).map(([name, atMs]) => [name, new Date(atMs).toISOString()]),
    ),
  }
}

function waitingJson({ place, expectedStartAtMs, reason }: JobWaiting): object {
  const expectedStartAt = expectedStartAtMs === null ? null : isoTime(expectedStartAtMs)
  return { place, expected_start_at: expectedStartAt, reason }
}
