import type { Command } from 'commander'
import { EXIT } from '../../app/exit-code.js'
import { isoTime } from '../../kernel/clock.js'
import { InputError } from '../../kernel/errors.js'
import { DEFAULT_TENANT } from '../../kernel/tenant.js'
import { cancelJob, retryFailedJobs, retryJob } from '../../pipeline/lifecycle/end-job.js'
import { recordOfJob } from '../../pipeline/lifecycle/record-of-job.js'
import { historyObjects, jobObject } from '../../queue/contract/job-object.js'
import type { JobRecord } from '../../queue/index.js'
import type { CommandContext, RunCommand } from '../command-context.js'
import { eventLine } from '../jobs/history-text.js'
import { jobReport } from '../jobs/job-report.js'
import { shortName, statusText } from '../jobs/progress-view.js'
import { openRunning } from '../open-running.js'
import { clockText, table } from '../terminal.js'

/** Most entries of a job's event stream that `logs` prints. */
const LOG_ENTRIES_MAX = 5_000

/** `jobs [list, show, cancel, retry, logs]`: shows jobs and acts on them. */
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
    .command('retry [id]')
    .description('start a failed or canceled job again, from its last checkpoint')
    .option('--failed', 'every job that an engine, storage or a worker failed')
    .action((id: string | undefined, options: { failed?: boolean }) =>
      run((context) => retry(context, id, options.failed === true)),
    )
  jobs
    .command('logs <id>')
    .description('the live stream of a job: states, progress, text')
    .option('--json', 'print one JSON document')
    .action((id: string, options: { json?: boolean }) =>
      run((context) => logs(context, id, options.json === true)),
    )
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
  const records = await ports.jobStore.list(
    { tenant: DEFAULT_TENANT, limit },
    { signal: context.stop.drain },
  )
  if (options.json) {
    context.terminal.out(JSON.stringify({ jobs: records.map(jobObject) }, null, 2))
    return EXIT.done
  }
  if (records.length === 0)
    context.terminal.err('No jobs yet; `nightscribe submit <file>` makes one.')
  const rows = records.map((record) => [
    record.jobId,
    statusText(record),
    progressText(record),
    shortName(record.sourceName),
  ])
  for (const line of table(rows)) context.terminal.out(line)
  const dead = records.filter(({ status, error }) => status === 'failed' && error?.retryable).length
  if (dead > 0) {
    const them = dead === 1 ? 'the one that failed' : `the ${dead} that failed`
    context.terminal.err(
      `\`nightscribe jobs retry --failed\` starts ${them} through no fault of the recording.`,
    )
  }
  return EXIT.done
}

function progressText({ audioMsDone, audioMsTotal }: JobRecord): string {
  return `${clockText(audioMsDone)}/${audioMsTotal === null ? '?' : clockText(audioMsTotal)}`
}

async function show(context: CommandContext, jobId: string, json: boolean): Promise<number> {
  const signal = context.stop.drain
  await using ports = await openRunning(context, signal)
  const found = await recordOfJob(ports, jobId, { signal })
  if (!found) throw notFound(jobId)
  const { record, manifest } = found
  const history = await ports.jobStore.history(jobId, { signal })
  if (json) {
    const outputs = manifest?.outputs ?? []
    const document = { ...jobObject(record), outputs, history: historyObjects(history, jobId) }
    context.terminal.out(JSON.stringify(document, null, 2))
  } else {
    const options = { location: ports.store.location, nowMs: context.clock.wallMs() }
    for (const line of jobReport({ ...found, history }, options)) context.terminal.out(line)
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

async function retry(
  context: CommandContext,
  jobId: string | undefined,
  failed: boolean,
): Promise<number> {
  if ((jobId === undefined) !== failed) {
    throw new InputError('input_unsupported', 'Name one job to retry, or give --failed for all.')
  }
  const signal = context.stop.drain
  await using ports = await openRunning(context, signal)
  if (jobId !== undefined) {
    await retryJob(ports, jobId, { signal })
    context.terminal.out(`Job ${jobId} is queued again.`)
    return EXIT.done
  }
  const { started, left } = await retryFailedJobs(ports, { signal })
  for (const id of started) context.terminal.out(`Job ${id} is queued again.`)
  if (started.length === 0) context.terminal.err('There is no job that a retry alone would help.')
  if (left.length > 0) {
    context.terminal.err(
      `Left alone: ${left.length} whose recording is to blame; \`nightscribe jobs show ID\` says how to mend it.`,
    )
  }
  return EXIT.done
}

async function logs(context: CommandContext, jobId: string, json: boolean): Promise<number> {
  await using ports = await openRunning(context, context.stop.drain)
  if (!(await ports.jobStore.get(jobId, { signal: context.stop.drain }))) throw notFound(jobId)
  const entries = await ports.jobStore.events(
    jobId,
    { afterId: '0', limit: LOG_ENTRIES_MAX },
    { signal: context.stop.drain },
  )
  if (json) {
    const events = entries.map(({ atMs, event }) => ({ at: isoTime(atMs), ...event }))
    context.terminal.out(JSON.stringify({ job_id: jobId, events }, null, 2))
    return EXIT.done
  }
  for (const entry of entries) context.terminal.out(eventLine(entry, context.clock.wallMs()))
  return EXIT.done
}

function notFound(jobId: string): InputError {
  return new InputError(
    'job_not_found',
    `There is no job ${jobId}; \`nightscribe jobs\` lists them.`,
  )
}
