import type { Command } from 'commander'
import { EXIT } from '../../app/exit-code.js'
import { productVersion } from '../../app/product-version.js'
import { readEngine } from '../../engines/read-engine.js'
import { InputError } from '../../kernel/errors.js'
import type { SweepReport } from '../../planning/sweep/report.js'
import { sessionRunner } from '../../realtime/run-session.js'
import { wsTransportOpener } from '../../realtime/ws-transport.js'
import type { CommandContext, RunCommand } from '../command-context.js'
import { openRunning } from '../open-running.js'
import { audioSource } from '../sweep/audio-source.js'
import { compareReports } from '../sweep/compare-command.js'
import { type Ask, overfillRisk, requireConsent, terminalAsk } from '../sweep/consent.js'
import { letInByLedger } from '../sweep/let-in-by-ledger.js'
import {
  addSweepOptions,
  parseSweepOptions,
  type RawSweepOptions,
  type SweepOptions,
} from '../sweep/options.js'
import { sweepView } from '../sweep/report/sweep-view.js'
import { runSweep } from '../sweep/run-sweep.js'
import { readSpeech } from '../sweep/speech.js'
import { letAllIn } from '../sweep/step-ports.js'
import { openSweepFolder } from '../sweep/sweep-folder.js'
import { findEngine, requireContextFor, sweptAddress } from '../sweep/swept-engine.js'

/** `sweep`: measures how many sessions an engine can run at once. */
export function addSweep(program: Command, run: RunCommand): void {
  const command = program
    .command('sweep')
    .description('find out how many sessions an engine can run at once, step by step')
    .argument('[report...]', 'with --compare: two reports, or the folders that hold them')
    .option('--compare', 'lay two reports side by side')
  addSweepOptions(command).action((reports: string[], raw: RawSweepOptions) =>
    run(async (context) => {
      const [a, b, ...more] = reports
      const two = a !== undefined && b !== undefined && more.length === 0
      if (raw.compare && two)
        return await compareReports(context, [a, b], { json: raw.json === true })
      if (raw.compare) throw wrongArguments('--compare takes two reports, or their folders.')
      if (reports.length > 0) throw wrongArguments('sweep takes no argument without --compare.')
      return await sweep(context, parseSweepOptions(raw), terminalAsk())
    }),
  )
}

/**
 * Sweeps one engine and stores the report.
 * @returns 0, or 75 when not even the lowest step holds
 * @throws the error that ended it early, after the report of the finished steps has been stored
 */
export async function sweep(
  context: CommandContext,
  options: SweepOptions,
  ask: Ask,
): Promise<number> {
  const { settings, clock, random, terminal, stop } = context
  const signal = stop.drain
  const found = await findEngine(context, sweptAddress(context, options.engine), { signal })
  requireContextFor(found.engine, options)
  if (found.engine.isStandin) terminal.err(STANDIN_WARNING)
  for (const note of found.notes) terminal.err(note)
  const agreed = options.yes || (await agreeOnAll(found.engine, options, { ask, signal }))
  const sweepId = sweepIdAt(clock.wallMs(), random.hexId(2))
  const source = await audioSource(context, options.audio, { signal })
  const speech = await readSpeech(context, source, { speechOnly: options.audio === null, signal })
  await using folder = await openSweepFolder(context, { sweepId, out: options.out })
  await using limiter = options.admit ? await openLimiter(context, found.address.url) : null
  const { connectTimeoutMs, createdTimeoutMs, doneTimeoutMs } = settings.engine
  const { report, failure } = await runSweep(
    {
      ...{ clock, found, speech, ask, sweepId },
      runSession: sessionRunner({ opener: wsTransportOpener({ connectTimeoutMs }), clock }),
      limits: { createdTimeoutMs, doneTimeoutMs },
      letIn: limiter?.letIn ?? letAllIn,
      limiter: limiter?.name ?? 'none',
      view: sweepView(terminal, { clock, json: options.json }),
      eventsPath: folder.eventsPath,
      nightscribe: productVersion(),
    },
    { ...options, yes: agreed },
    { signal },
  )
  const place = await folder.keep(report, { signal: stop.abort })
  say(context, report, { place, json: options.json })
  if (failure !== null) throw failure
  return report.steps[0]?.verdict === 'fails' ? EXIT.tryLater : EXIT.done
}

/** The admission that this installation's workers use, for `--admit`. */
async function openLimiter(context: CommandContext, url: string) {
  const { settings, root, stop } = context
  const signal = stop.drain
  const facts = await readEngine(settings, { url, root }, { signal })
  const ports = await openRunning(context, signal)
  const letIn = letInByLedger(context, ports, facts)
  const close = () => ports[Symbol.asyncDispose]()
  return { letIn, name: settings.admission.policy, [Symbol.asyncDispose]: close }
}

const STANDIN_WARNING =
  'THIS IS THE STAND-IN, NOT A GPU: its figures say nothing about a real engine.'

/**
 * Asks once, before the first step, when any step may overfill the engine: a night run must not
 * stop in the middle to ask.
 */
async function agreeOnAll(
  engine: Parameters<typeof overfillRisk>[0],
  { sessions, seconds, pace }: SweepOptions,
  options: { ask: Ask; signal: AbortSignal },
): Promise<boolean> {
  for (const count of sessions) {
    const step = { sessions: count, seconds, pace, othersConnected: null }
    const risk = overfillRisk(engine, step)
    if (risk === null) continue
    await requireConsent(risk, options)
    return true
  }
  return false
}

function say(
  { terminal }: CommandContext,
  report: SweepReport,
  { place, json }: { place: string; json: boolean },
): void {
  if (json) {
    terminal.out(JSON.stringify(report, null, 2))
    terminal.err(place)
    return
  }
  if (report.engine.is_standin) terminal.out(`\n${STANDIN_WARNING}`)
  const { sentence, because, outlook } = report.result
  terminal.out('')
  for (const line of [sentence, ...because, ...(outlook === null ? [] : [outlook])]) {
    terminal.out(line)
  }
  terminal.out(`Report: ${place}`)
}

/** Such as `20261121-061500-a3f1`: sorts by time, and is unique. */
function sweepIdAt(wallMs: number, hex: string): string {
  const [date = '', time = ''] = new Date(wallMs).toISOString().split('T')
  return `${date.replaceAll('-', '')}-${time.slice(0, 8).replaceAll(':', '')}-${hex}`
}

function wrongArguments(sentence: string): InputError {
  return new InputError('input_unsupported', sentence)
}
