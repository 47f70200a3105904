import { execFileSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { projectRoot } from '../../src/config/project-root.js'
import { isoTime, systemClock } from '../../src/kernel/clock.js'

/** Where and of what a benchmark was run; stands at the head of its report. */
export interface ReportHead {
  bench: string
  engine: string
  date: string
  commit: string
  machine: string
}

/** @param options.blocks KV blocks of the stand-in, the one among them that holds no session */
export function reportHead(bench: string, { blocks }: { blocks: number }): ReportHead {
  return {
    bench,
    engine: `stand-in (tones), no GPU, ${blocks - 1} KV blocks, no step times`,
    date: isoTime(systemClock().wallMs()),
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD']).toString().trim(),
    machine: `${cpus()[0]?.model ?? '?'}, ${cpus().length} cores, Node ${process.version}`,
  }
}

/** Prints a report, and keeps it as JSON in `test/bench/results`. */
export async function writeReport(report: ReportHead & Record<string, unknown>): Promise<void> {
  const folder = join(projectRoot(), 'test', 'bench', 'results')
  await mkdir(folder, { recursive: true })
  const path = join(folder, `${report.bench}-${report.date.slice(0, 10)}-${report.commit}.json`)
  await writeFile(path, `${JSON.stringify(report, null, 2)}\n`)
  for (const [name, value] of Object.entries(report)) {
    if (typeof value !== 'object') console.log(name.padEnd(36), value)
  }
  console.log(path)
}

/** Memory that a process has in RAM. Linux only. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024
}

/** User and system time of a process; clock ticks are 10 ms on Linux. */
export async function cpuSeconds(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** Rounded to tenths. */
export function tenths(value: number): number {
  return Math.round(value * 10) / 10
}
