import { resolve } from 'node:path'
import { EXIT } from '../../app/exit-code.js'
import { printable } from '../../app/printable.js'
import {
  compareSweeps,
  type FigureChange,
  type SweepComparison,
} from '../../planning/sweep/compare.js'
import type { CommandContext } from '../command-context.js'
import { table } from '../terminal.js'
import { readSweepReport } from './report/report-codec.js'

/** `sweep --compare A B`: prints two reports side by side. */
export async function compareReports(
  { cwd, terminal }: Pick<CommandContext, 'cwd' | 'terminal'>,
  paths: readonly [string, string],
  { json }: { json: boolean },
): Promise<number> {
  const [a, b] = await Promise.all(paths.map((path) => readSweepReport(resolve(cwd, path))))
  if (a === undefined || b === undefined) return EXIT.bug
  const comparison = compareSweeps(a, b)
  if (json) terminal.out(JSON.stringify(comparison, null, 2))
  else for (const line of comparisonLines(comparison)) terminal.out(line)
  return EXIT.done
}

/** The comparison as lines of text with a table. */
export function comparisonLines(comparison: SweepComparison): string[] {
  const { a, b, differences, steps, highest_held: held } = comparison
  const lines = [
    `A: ${headText(a)}`,
    `B: ${headText(b)}`,
    ...differences.map((difference) => `They differ in ${printable(difference)}.`),
    '',
  ]
  const rows = steps.flatMap(({ sessions, verdict, figures }) => [
    [String(sessions), 'verdict', verdict.a, verdict.b, '', ''],
    ...figures.map((figure) => [
      '',
      figure.figure,
      numberText(figure.a),
      numberText(figure.b),
      changeText(figure),
      figure.judgement === 'same' || figure.judgement === 'unknown' ? '' : figure.judgement,
    ]),
  ])
  const head = ['sessions', 'figure', 'A', 'B', 'change', 'B is']
  lines.push(...(rows.length > 0 ? table([head, ...rows]) : ['They have no step in common.']))
  lines.push('', `Highest step that holds: A ${held.a ?? 'none'}, B ${held.b ?? 'none'}.`)
  return lines
}

function headText({ sweep_id, started_at, engine }: SweepComparison['a']): string {
  const what = engine.is_standin ? 'STAND-IN, no GPU' : `vLLM ${engine.version ?? '?'}`
  return printable(`${sweep_id}, ${started_at}, ${engine.url} (${what})`)
}

function numberText(value: number | null): string {
  return value === null ? '–' : String(value)
}

function changeText({ change, a, b }: FigureChange): string {
  if (change === null) return a === null || b === null ? '' : 'from 0'
  return `${change > 0 ? '+' : ''}${(change * 100).toFixed(1)} %`
}
