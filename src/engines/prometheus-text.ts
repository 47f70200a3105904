/** One line of a Prometheus exposition that has a value. */
export interface PrometheusSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** The value as written: it may be NaN or infinite. */
  readonly value: number
}

const NAME = /[a-zA-Z_:][a-zA-Z0-9_:]*/y
/** A label, `name="value"` with backslash escapes, with blanks around it and a comma after it. */
const LABEL = /\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*,?\s*/y
const BLANKS = /[ \t]*/y
const WORD = /\S+/y

/**
 * Reads the Prometheus text format (0.0.4, and OpenMetrics as far as it is the same). Comments,
 * timestamps and exemplars are skipped, and so is a line that isn't of the format: its sample is
 * missing in the result.
 */
export function parsePrometheusText(text: string): PrometheusSample[] {
  const samples: PrometheusSample[] = []
  for (const line of text.split('\n')) {
    const sample = parseLine(line.trim())
    if (sample) samples.push(sample)
  }
  return samples
}

function parseLine(line: string): PrometheusSample | null {
  if (line === '' || line.startsWith('#')) return null
  const name = match(NAME, line, 0)
  if (!name) return null
  let at = skipBlanks(line, name[0].length)
  const labels: Record<string, string> = {}
  if (line[at] === '{') {
    at = skipBlanks(line, at + 1)
    while (line[at] !== '}') {
      const label = match(LABEL, line, at)
      if (!label) return null
      labels[label[1] as string] = unescaped(label[2] as string)
      at += label[0].length
    }
    at += 1
  }
  const written = match(WORD, line, skipBlanks(line, at))
  const value = written ? numberOf(written[0]) : null
  return value === null ? null : { name: name[0], labels, value }
}

function match(pattern: RegExp, line: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at
  return pattern.exec(line)
}

function skipBlanks(line: string, at: number): number {
  return at + (match(BLANKS, line, at)?.[0].length ?? 0)
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (whole, letter: string) => {
    if (letter === 'n') return '\n'
    return letter === '\\' || letter === '"' ? letter : whole
  })
}

const SPECIAL: Readonly<Record<string, number>> = {
  nan: Number.NaN,
  inf: Number.POSITIVE_INFINITY,
  '+inf': Number.POSITIVE_INFINITY,
  '-inf': Number.NEGATIVE_INFINITY,
}

function numberOf(text: string): number | null {
  const special = SPECIAL[text.toLowerCase()]
  if (special !== undefined) return special
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : null
}
