import { setMaxListeners } from 'node:events'
import type { Command } from 'commander'
import { EXIT } from '../../app/exit-code.js'
import type { Settings } from '../../config/schema.js'
import { InputError } from '../../kernel/errors.js'
import { ASSUMED_PAUSE_EVERY_MS } from '../../planning/plan-pauses.js'
import type { CommandContext, RunCommand } from '../command-context.js'
import { answerDeadline } from '../plan/plan-deadline.js'
import { type PlanEngines, planEngines } from '../plan/plan-engines.js'
import { PlanNights, type PlannedNight } from '../plan/plan-nights.js'
import {
  addPlanOptions,
  type PlanOptions,
  POLICIES,
  parsePlanOptions,
  type RawPlanOptions,
} from '../plan/plan-options.js'
import { type PlanFindings, planJson } from '../plan/plan-report.js'
import { type PlanSources, planSources } from '../plan/plan-sources.js'
import { changeText } from '../plan/plan-text.js'
import { showPlan } from '../plan/plan-view.js'

/** `plan`: when all recordings are done, what that costs, and what would make a deadline. */
export function addPlan(program: Command, run: RunCommand): void {
  const command = program
    .command('plan')
    .description('when everything is done, what it costs, and what would make a deadline')
    .argument('[source...]', 'files, folders or s3://bucket/prefix/; none: the queue')
  addPlanOptions(command).action((sources: string[], raw: RawPlanOptions) =>
    run((context) => plan(context, sources, parsePlanOptions(raw, context.clock.wallMs()))),
  )
}

/**
 * Forecasts a night and prints it.
 * @returns 0, also for a night that ends too late: the forecast worked, and `by.met` says whether
 * the deadline is met
 * @throws InputError, ConfigError, UpstreamError; the signal's reason
 */
export async function plan(
  context: CommandContext,
  sources: readonly string[],
  options: PlanOptions,
): Promise<number> {
  const { terminal, clock, stop } = context
  const signal = stop.drain
  setMaxListeners(0, signal) // parallel reads add more than 10 listeners, at which Node warns
  const settings = settingsFor(context.settings, options)
  const own = { ...context, settings }
  const engines = await planEngines(own, options, { signal })
  const found = await planSources(own, sources, options, { signal })
  if (found.recordings.length === 0) return nothingToPlan(context, found, options)
  const nights = new PlanNights({
    ...{ settings: engines.settings, facts: engines.facts, recordings: found.recordings },
    ceiling: options.ceiling,
    seed: options.seed,
    pricePerHour: options.pricePerHour,
    nowMs: clock.wallMs(),
  })
  const night = await nights.night(null, { signal })
  const compared = options.compare ? await comparePolicies(nights, night, { signal }) : null
  const onTry = (change: Parameters<typeof changeText>[0]) =>
    terminal.err(`Trying ${changeText(change)} …`)
  const { byMs } = options
  const deadline =
    byMs === null ? null : await answerDeadline(nights, night, { byMs, signal, onTry })
  const { nowMs } = nights.basis
  const notes = notesOn(nights, { engines, sources: found, options })
  const findings: PlanFindings = {
    nowMs,
    sources: found,
    engines,
    notes,
    night,
    compared,
    deadline,
  }
  if (options.json) terminal.out(JSON.stringify(planJson(findings), null, 2))
  else showPlan(terminal, findings, options)
  return EXIT.done
}

function settingsFor(settings: Settings, { policy }: PlanOptions): Settings {
  if (policy === null) return settings
  return { ...settings, admission: { ...settings.admission, policy } }
}

async function comparePolicies(
  nights: PlanNights,
  chosen: PlannedNight,
  { signal }: { signal: AbortSignal },
): Promise<PlannedNight[]> {
  const compared: PlannedNight[] = []
  for (const policy of POLICIES) {
    const change = { kind: 'policy', policy } as const
    compared.push(policy === chosen.policy ? chosen : await nights.night(change, { signal }))
  }
  return compared
}

function nothingToPlan(
  { terminal, clock }: CommandContext,
  { from, unreadable }: PlanSources,
  { json }: PlanOptions,
): number {
  if (unreadable.length > 0) {
    const more = unreadable.length > 1 ? ` (and ${unreadable.length - 1} more)` : ''
    throw new InputError('input_unsupported', `${unreadable[0]}${more}`)
  }
  if (json) {
    const document = { planned_at: new Date(clock.wallMs()).toISOString(), recordings: 0, jobs: [] }
    terminal.out(JSON.stringify({ schema: 'nightscribe.plan/1', ...document }, null, 2))
  } else terminal.out(`Nothing waits in ${from}, and nothing runs: there is nothing to plan.`)
  return EXIT.done
}

function notesOn(
  { basis }: PlanNights,
  {
    engines,
    sources,
    options,
  }: {
    engines: PlanEngines
    sources: PlanSources
    options: PlanOptions
  },
): string[] {
  const notes = [...engines.notes, ...sources.notes]
  const { recordings, facts } = basis
  const unheard = recordings.filter(({ lanes }) => lanes.some(({ pausesMs }) => pausesMs === null))
  if (unheard.length > 0) {
    const whose = unheard.length === recordings.length ? '' : ` in ${unheard.length} recordings`
    const every = ASSUMED_PAUSE_EVERY_MS / 1000
    notes.push(`Pauses are not known yet${whose}: one every ${every} s on average is assumed.`)
  }
  if (facts.some(({ gpu, description }) => gpu === null && !description.isStandin)) {
    notes.push('What steps take is not known: set engine.gpu for a step budget.')
  }
  if (recordings.some(({ pace }) => pace === 'max')) {
    notes.push('Recordings at pace max are taken for real time: their engine decides.')
  }
  if (options.ceiling === 'off') notes.push('The ceiling is off: no recording is ever cut.')
  return notes
}
