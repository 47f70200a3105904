import { resolve } from 'node:path'
import type { Command } from 'commander'
import { type OpenPorts, openPorts } from '../../app/open-ports.js'
import { printable } from '../../app/printable.js'
import { outputKey, readOutput } from '../../pipeline/result/read-output.js'
import type { CommandContext, RunCommand } from '../command-context.js'
import { errorLine } from '../error-line.js'
import { followText } from '../jobs/live-text.js'
import { type ProgressView, progressView, shortName } from '../jobs/progress-view.js'
import { warningText } from '../jobs/warning-text.js'
import { watchJobs } from '../jobs/watch-jobs.js'
import { type Stack, stackOwner, startStack } from '../stack/stack.js'
import {
  batchExitCode,
  collectResults,
  openOutFolder,
  type RecordingResult,
  resultJson,
  saveOutputs,
} from '../submit/results.js'
import {
  addSubmitOptions,
  parseSubmitOptions,
  type RawSubmitOptions,
} from '../submit/submit-options.js'
import { type Submitted, submitSources } from '../submit/submit-sources.js'

interface TranscribeOptions extends RawSubmitOptions {
  out?: string
  json?: boolean
  follow?: boolean
}

/** `transcribe`: submits recordings, shows progress, then prints or saves the transcripts. */
export function addTranscribe(program: Command, run: RunCommand): void {
  const command = program
    .command('transcribe')
    .description('transcribe recordings and wait for the transcripts')
    .argument('<source...>', 'files, folders, s3://…, https://… or - for standard input')
    .option('--out <folder>', 'save the transcripts there instead of printing them (-: print)')
    .option('--follow', 'print the text while it comes, each line with its time')
    .option('--json', 'print one JSON document')
  const paceDefault = 'default: 1, on a stand-in started by this command: max'
  addSubmitOptions(command, { paceDefault }).action(
    (sources: string[], options: TranscribeOptions) =>
      run((context) => transcribe(context, sources, options)),
  )
}

async function transcribe(
  context: CommandContext,
  sources: readonly string[],
  raw: TranscribeOptions,
): Promise<number> {
  const nowMs = context.clock.wallMs()
  parseSubmitOptions(raw, nowMs) // what is wrong is said before anything starts
  const signal = context.stop.drain
  const folder = outFolder(context, raw)
  if (folder !== null) await openOutFolder(folder)
  await using stack = await ownStack(context, signal)
  // The stand-in isn't held to real time: whoever has no GPU wants the text.
  const options = parseSubmitOptions(raw, nowMs, stack?.standin ? 'max' : undefined)
  const settings = stack?.settings ?? context.settings
  await using ports = await openPorts(settings, { ...context, signal })
  const view = raw.follow ? QUIET : progressView(context.terminal)
  let results: RecordingResult[]
  let shown: ReadonlySet<string> = new Set()
  try {
    const request = { arguments: sources, options, signal }
    const submitted = await submitSources({ ...context, settings }, ports, request)
    const jobIds = submitted.flatMap(({ outcome }) => outcome?.jobId ?? [])
    const watching = watchJobs(ports, jobIds, view, { signal })
    const ended = stack ? Promise.race([watching, stack.broken]) : watching
    if (raw.follow) {
      const { json } = raw
      shown = await follow(context, ports, submitted, { ended, json, signal })
    }
    const records = await ended
    results = await collectResults(ports, submitted, records, { signal })
  } finally {
    view.close()
  }
  await report(context, ports, { results, shown }, raw, signal)
  return batchExitCode(results)
}

/** The folder of `--out`; null where the transcripts are printed. */
function outFolder({ cwd }: CommandContext, { out }: TranscribeOptions): string | null {
  return out === undefined || out === '-' ? null : resolve(cwd, out)
}

/** With `--follow` the text itself is the progress. */
const QUIET: ProgressView = { show: () => {}, note: () => {}, close: () => {} }

/**
 * Shows text while it comes: on stdout, or on stderr where that gets one JSON document.
 * @returns the ids of the jobs whose text was shown
 */
async function follow(
  { terminal }: CommandContext,
  ports: OpenPorts,
  submitted: readonly Submitted[],
  {
    json,
    ...options
  }: { ended: Promise<unknown>; json?: boolean | undefined; signal: AbortSignal },
): Promise<Set<string>> {
  const jobs = submitted.flatMap(({ name, outcome }) =>
    outcome ? [{ jobId: outcome.jobId, name: shortName(name) }] : [],
  )
  return await followText(ports, jobs, { ...options, write: json ? terminal.err : terminal.out })
}

/** Starts what is missing on this machine; null where `up` runs, or the settings name a Redis. */
async function ownStack(context: CommandContext, signal: AbortSignal): Promise<Stack | null> {
  const { settings, terminal } = context
  if (settings.redisUrl !== null || (await stackOwner(settings.stateDir)) !== null) return null
  const stack = await startStack(settings, { ...context, signal })
  if (stack.standin) {
    terminal.err(
      'No engine is configured: the stand-in on this CPU transcribes (a demo, not Voxtral).',
    )
  }
  return stack
}

async function report(
  context: CommandContext,
  ports: OpenPorts,
  { results, shown }: { results: readonly RecordingResult[]; shown: ReadonlySet<string> },
  options: TranscribeOptions,
  signal: AbortSignal,
): Promise<void> {
  const { terminal } = context
  const folder = outFolder(context, options)
  const taken = new Map<string, string>()
  const documents: object[] = []
  for (const result of results) {
    const name = printable(result.name)
    const key = result.manifest && outputKey(result.manifest, 'transcript.txt')
    const text = key ? (await readOutput(ports, key, { signal })).toString() : null
    documents.push(resultJson(result, text))
    const { error, status } = result
    if (error) terminal.err(errorLine(result.name, error))
    else if (status === 'canceled') terminal.err(`${name}: canceled`)
    for (const warning of result.warnings) {
      terminal.err(`${name}: warning: ${warningText(printable(warning))}`)
    }
    if (folder !== null) {
      for (const path of await saveOutputs(ports, result, folder, taken, { signal })) {
        terminal.err(path)
      }
    } else if (text !== null && !options.json && !shown.has(result.jobId ?? '')) {
      if (results.length > 1) terminal.out(`== ${name}`)
      terminal.out(text.trimEnd() || '(no speech)')
    }
  }
  if (options.json) terminal.out(JSON.stringify({ results: documents }, null, 2))
}
