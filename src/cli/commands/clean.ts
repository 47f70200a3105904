import type { Command } from 'commander'
import { EXIT } from '../../app/exit-code.js'
import { sharedLeftovers, spoolLeftovers } from '../../app/leftover-sources.js'
import { printable } from '../../app/printable.js'
import { InputError } from '../../kernel/errors.js'
import {
  type CleanedLeftover,
  type CleanReport,
  cleanUp,
} from '../../pipeline/housekeeping/clean-up.js'
import type { CommandContext, RunCommand } from '../command-context.js'
import { openRunning } from '../open-running.js'
import { ageText, bytesText, table } from '../terminal.js'

/** Most leftovers that are listed one by one; the sums count all of them. */
const SHOWN_MAX = 10_000

interface CleanFlags {
  dryRun?: boolean
  json?: boolean
  limit?: string
}

/**
 * `clean [--dry-run] [--json] [--limit N]`: removes what dead jobs and workers have left behind.
 */
export function addClean(program: Command, run: RunCommand): void {
  program
    .command('clean')
    .description('remove what dead jobs and workers have left; never a recording or result')
    .option('--dry-run', 'only show what would be removed')
    .option('--limit <n>', 'objects to remove at most (setting housekeeping.removalsMax)')
    .option('--json', 'print one JSON document')
    .action((flags: CleanFlags) => run((context) => clean(context, flags)))
}

async function clean(context: CommandContext, flags: CleanFlags): Promise<number> {
  const { settings, terminal } = context
  const signal = context.stop.drain
  const itemsMax = limitOf(flags.limit) ?? settings.housekeeping.removalsMax
  const dryRun = flags.dryRun === true
  await using ports = await openRunning(context, signal)
  const sources = [...sharedLeftovers(ports), spoolLeftovers(settings, ports)]
  const shown: CleanedLeftover[] = []
  const onLeftover = (leftover: CleanedLeftover) => {
    if (shown.length < SHOWN_MAX) shown.push(leftover)
  }
  const report = await cleanUp(sources, { dryRun, itemsMax, onLeftover, signal })
  const lines = flags.json ? jsonOf(report, shown, dryRun) : textOf(report, shown)
  for (const line of lines) terminal.out(line)
  return report.sums.failed.items > 0 || report.unseen.length > 0 ? EXIT.tryLater : EXIT.done
}

function limitOf(text: string | undefined): number | null {
  if (text === undefined) return null
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1) return limit
  throw new InputError('input_unsupported', `--limit takes a number from 1 up, not "${text}".`)
}

/** One row per leftover, then the sums; a single sentence where nothing is left over. */
export function textOf(report: CleanReport, shown: readonly CleanedLeftover[]): string[] {
  const rows = shown.map((each) => [
    each.code === null ? each.outcome : `${each.outcome} (${each.code})`,
    each.kind,
    bytesText(each.bytes),
    ageText(each.ageMs),
    each.why,
    printable(each.name),
  ])
  const total = Object.values(report.sums).reduce((sum, { leftovers }) => sum + leftovers, 0)
  const more = total - shown.length
  return [
    ...(rows.length === 0 ? [] : table([['', 'what', 'size', 'age', 'why', 'where'], ...rows])),
    ...(more > 0 ? [`and ${more} more`] : []),
    ...sumLines(report),
    ...report.unseen.map((code) => `One place could not be looked through: ${code}.`),
  ]
}

function sumLines({ sums }: CleanReport): string[] {
  const said = {
    found: 'would be removed',
    removed: 'removed',
    failed: 'could not be removed',
    left: 'left for the next run',
  } as const
  const lines = (['found', 'removed', 'failed', 'left'] as const).flatMap((outcome) => {
    const { items, bytes } = sums[outcome]
    return items === 0 ? [] : [`${items} ${said[outcome]}, ${bytesText(bytes)}.`]
  })
  return lines.length === 0 ? ['Nothing is left over.'] : lines
}

function jsonOf(report: CleanReport, shown: readonly CleanedLeftover[], dryRun: boolean): string[] {
  const leftovers = shown.map(({ kind, name, why, items, bytes, ageMs, outcome, code }) => {
    return { kind, name, why, items, bytes, age_ms: ageMs, outcome, code }
  })
  const document = { dry_run: dryRun, sums: report.sums, unseen: report.unseen, leftovers }
  return [JSON.stringify(document, null, 2)]
}
