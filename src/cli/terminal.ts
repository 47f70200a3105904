import type { Readable, Writable } from 'node:stream'

/**
 * The output of a command. Results go to `out`, everything else to `err`, so that a pipe gets
 * results alone.
 */
export interface Terminal {
  out(line: string): void
  err(line: string): void
  /** Whether progress bars may be drawn on `err`. */
  readonly interactive: boolean
  readonly errStream: Writable
  /** What is piped in; null where standard input is a terminal. */
  readonly stdin: Readable | null
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  return {
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (line) => void process.stderr.write(`${line}\n`),
    interactive: process.stderr.isTTY === true,
    errStream: process.stderr,
    get stdin() {
      return process.stdin.isTTY === true ? null : process.stdin
    },
  }
}

/** A duration of audio as `h:mm:ss` or `m:ss`. */
export function clockText(durationMs: number): string {
  const seconds = Math.round(durationMs / 1000)
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  const [hours = 0, minutes = 0, rest = 0] = parts
  const tail = String(rest).padStart(2, '0')
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${tail}` : `${minutes}:${tail}`
}

/** Rows with columns as wide as their widest entry; the last column isn't padded. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [index, cell] of row.entries()) {
      widths[index] = Math.max(widths[index] ?? 0, cell.length)
    }
  }
  return rows.map((row) =>
    row
      .map((cell, index) => (index < row.length - 1 ? cell.padEnd(widths[index] ?? 0) : cell))
      .join('  ')
      .trimEnd(),
  )
}

/** `1.2 GB`, in powers of 1000; `?` for null. */
export function bytesText(bytes: number | null): string {
  if (bytes === null) return '?'
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let [amount, unit] = [bytes, 0]
  while (amount >= 1000 && unit < units.length - 1) {
    amount /= 1000
    unit += 1
  }
  return `${unit === 0 ? amount : amount.toFixed(1)} ${units[unit]}`
}

/** `3 d`, `5 h`, `12 min` or `40 s`, rounded down; `?` for null. */
export function ageText(ageMs: number | null): string {
  if (ageMs === null) return '?'
  const seconds = Math.floor(ageMs / 1000)
  if (seconds >= 86_400) return `${Math.floor(seconds / 86_400)} d`
  if (seconds >= 3_600) return `${Math.floor(seconds / 3_600)} h`
  return seconds >= 60 ? `${Math.floor(seconds / 60)} min` : `${seconds} s`
}
