import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import { EXIT } from '../../app/exit-code.js'
import { type OpenPorts, openPorts } from '../../app/open-ports.js'
import { printable } from '../../app/printable.js'
import { orAbort } from '../../kernel/abort.js'
import { locationOf } from '../../kernel/location.js'
import { DEFAULT_TENANT } from '../../kernel/tenant.js'
import { watchInbox } from '../../pipeline/intake/inbox.js'
import { outputKey } from '../../pipeline/result/read-output.js'
import { isFinal, type JobStatus } from '../../queue/contract/job-status.js'
import { SUBMISSION_DEFAULTS } from '../../queue/contract/submission-options.js'
import type { JobRecord } from '../../queue/index.js'
import { INBOX_PREFIX } from '../../storage/keys.js'
import type { CommandContext, RunCommand } from '../command-context.js'
import { errorLine } from '../error-line.js'
import { type ProgressView, progressView, shortName } from '../jobs/progress-view.js'
import { watchJobs } from '../jobs/watch-jobs.js'
import { readSamples } from '../stack/samples.js'
import { type Stack, startStack } from '../stack/stack.js'
import { batchExitCode, collectResults, type RecordingResult } from '../submit/results.js'
import { type Submitted, submitOne } from '../submit/submit-sources.js'
import { type Terminal, table } from '../terminal.js'

/** Statuses of jobs that a worker is processing. */
const RUNNING: ReadonlySet<JobStatus> = new Set(['admitted', 'running', 'finalizing'])
/** Most job records, newest first, in which running jobs are counted. */
const RECORDS_MAX = 1_000

/** `up`: starts everything on one machine. */
export function addUp(program: Command, run: RunCommand): void {
  program
    .command('up')
    .description('start everything on this machine and transcribe the samples')
    .option('--once', 'end when the samples are done')
    .action((options: { once?: boolean }) => run((context) => up(context, options.once === true)))
}

async function up(context: CommandContext, once: boolean): Promise<number> {
  const { terminal, stop } = context
  await using stack = await startStack(context.settings, { ...context, signal: stop.drain })
  await using ports = await openPorts(stack.settings, { ...context, signal: stop.drain })
  terminal.err(`Storage: ${ports.store.location}`)
  for (const part of stack.parts) terminal.err(part)
  const inbox = once ? null : await openInbox(stack.settings.storage)
  terminal.err(
    'The samples are transcribed in real time, as people speak; the longest takes two minutes.',
  )
  if (inbox !== null) terminal.err(`Drop recordings of yours into ${inbox}; Ctrl+C stops.`)
  terminal.err('')
  const view = new OpenView(terminal)
  try {
    const samples = transcribeSamples(context, ports, view).then((results) => {
      view.close() // what follows goes to stdout, and would break the bars
      printResults(context, ports, stack, results)
      return results
    })
    const watching = once ? [] : [followInbox(context, ports, { stack, view })]
    const [results] = await Promise.race([Promise.all([samples, ...watching]), stack.broken])
    if (once) return batchExitCode(results)
  } catch (error) {
    if (!stop.drain.aborted) throw error
  } finally {
    view.close()
  }
  await shutDown(context, ports, stack)
  return EXIT.stopped
}

/** Progress of all that runs: opened again by the next job that is shown after it was closed. */
class OpenView implements ProgressView {
  readonly #terminal: Terminal
  #view: ProgressView | null = null

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  show(record: JobRecord): void {
    this.#open().show(record)
  }

  note(line: string): void {
    this.#open().note(line)
  }

  close(): void {
    this.#view?.close()
    this.#view = null
  }

  #open(): ProgressView {
    this.#view ??= progressView(this.#terminal)
    return this.#view
  }
}

/** Where recordings are dropped, for people; the folder is created where storage is one. */
async function openInbox(storage: string): Promise<string> {
  if (locationOf(storage).kind !== 'path') return `${storage}/${INBOX_PREFIX}`
  const folder = join(storage, INBOX_PREFIX)
  await mkdir(folder, { recursive: true })
  return folder
}

/** First Ctrl+C: jobs in progress are checkpointed and handed back. Second: leaves at once. */
async function shutDown(context: CommandContext, ports: OpenPorts, stack: Stack): Promise<void> {
  const { terminal, stop } = context
  const records = await ports.jobStore.list(
    { tenant: DEFAULT_TENANT, limit: RECORDS_MAX },
    { signal: context.stop.drain },
  )
  const open = records.filter(({ status }) => !isFinal(status))
  const running = open.filter(({ status }) => RUNNING.has(status))
  const which = open.length === 1 ? 'one recording goes' : `${open.length} recordings go`
  const inside =
    open.length > 1 && running.length > 0 ? `, ${running.length} of them from where they are` : ''
  const what = open.length === 0 ? 'nothing is under way' : `${which} on at the next start${inside}`
  terminal.err(`\nStopping; ${what}.`)
  try {
    await orAbort(stack.drain(), stop.abort)
  } catch {
    await stack.abort() // after the second signal
  }
}

async function transcribeSamples(
  context: CommandContext,
  ports: OpenPorts,
  view: ProgressView,
): Promise<RecordingResult[]> {
  const signal = context.stop.drain
  const submitted: Submitted[] = []
  for (const sample of await readSamples(context.root, ports.store, { signal })) {
    const options = { ...SUBMISSION_DEFAULTS, channels: sample.channels }
    submitted.push(await submitOne(ports, sample, options, signal))
  }
  const jobIds = submitted.flatMap(({ outcome }) => outcome?.jobId ?? [])
  const records = await watchJobs(ports, jobIds, view, { signal })
  return await collectResults(ports, submitted, records, { signal })
}

function printResults(
  context: CommandContext,
  ports: OpenPorts,
  stack: Stack,
  results: readonly RecordingResult[],
): void {
  const { terminal } = context
  terminal.out('')
  const rows = results.map((result) => {
    const key = result.manifest && outputKey(result.manifest, 'transcript.txt')
    const what = key
      ? `${ports.store.location}/${key}`
      : `${result.error?.detail} [${result.error?.code}]`
    return [shortName(result.name), result.status, printable(what)]
  })
  for (const line of table(rows)) terminal.out(line)
  if (stack.standin) {
    terminal.out(
      '\nTranscribed by the stand-in engine on this CPU: a demo of the pipeline, not of Voxtral.',
    )
  }
}

/** Transcribes what is dropped into the inbox, until it is stopped. */
async function followInbox(
  context: CommandContext,
  ports: OpenPorts,
  { stack, view }: { stack: Stack; view: ProgressView },
): Promise<never> {
  const { terminal, settings } = context
  const signal = context.stop.drain
  // On a terminal lines stay above the bars; elsewhere results are the program's output.
  const say = terminal.interactive ? (line: string) => view.note(line) : terminal.out
  const follow = async (name: string, jobId: string) => {
    const records = await watchJobs(ports, [jobId], view, { signal })
    const outcome = { kind: 'queued', jobId } as const
    const submitted = [{ name, outcome, error: null }]
    const [result] = await collectResults(ports, submitted, records, { signal })
    const key = result?.manifest && outputKey(result.manifest, 'transcript.txt')
    if (key) say(`${ports.store.location}/${key}`)
    if (result?.error) view.note(errorLine(name, result.error))
  }
  await watchInbox(ports, {
    ...settings.inbox,
    signal,
    // The stand-in isn't held to real time: whoever has no GPU wants the text.
    pace: stack.standin ? 'max' : SUBMISSION_DEFAULTS.pace,
    // A failure to show one job's progress is ignored: the job is transcribed all the same, and the
    // watch over the inbox must go on.
    onSubmitted: (name, jobId) => void follow(name, jobId).catch(() => {}),
    onRefused: (name, sentence) => view.note(printable(`${name}: ${sentence}`)),
  })
  throw signal.reason
}
