import assert from 'node:assert/strict'

/** Label values by label name; every series of a metric has the same names. */
export type MetricLabels = Readonly<Record<string, string>>

/** Name and meaning of a metric. */
export interface MetricOptions {
  /** `nightscribe_…`, in Prometheus' base units: seconds, bytes; counters end in `_total`. */
  name: string
  /** What the metric means, in one sentence. */
  help: string
  /** Names of its labels, in the order in which they are written. */
  labels?: readonly string[]
}

/** One counter or gauge with its labels. */
export interface MetricSeries {
  add(by?: number): void
  set(value: number): void
}

/** One distribution with its labels. */
export interface HistogramSeries {
  observe(value: number): void
}

/**
 * Series that one metric may have. Values for further labels go into one series whose labels are
 * all `other`, so that labels that never repeat can't fill the memory.
 */
export const SERIES_MAX = 500

interface Family {
  lines(): string[]
}

/**
 * The figures of one process, and their page in the Prometheus text format (0.0.4). It has no clock
 * and measures nothing itself: callers set the values. Names are checked when they are declared.
 */
export class MetricRegistry {
  private readonly families = new Map<string, Family>()

  /** A sum that only grows. */
  counter(options: MetricOptions): MetricFamily<MetricSeries> {
    return this.scalars('counter', options)
  }

  /** A value that goes up and down. */
  gauge(options: MetricOptions): MetricFamily<MetricSeries> {
    return this.scalars('gauge', options)
  }

  /** Counts of values up to each of `bounds`, which ascend; the last bucket has no bound. */
  histogram(options: MetricOptions & { bounds: readonly number[] }): MetricFamily<HistogramSeries> {
    const { name, bounds } = options
    assert.ok(
      bounds.every((bound, index) => bound > (bounds[index - 1] ?? Number.NEGATIVE_INFINITY)),
      `the bounds of ${name} ascend`,
    )
    assert.ok(!options.labels?.includes('le'), `le is the label of ${name}'s own buckets`)
    return this.declare(new MetricFamily('histogram', options, () => new Buckets(bounds)))
  }

  /** The page, with the metrics in the order in which they were declared. */
  text(): string {
    return [...this.families.values()].flatMap((family) => [...family.lines(), '']).join('\n')
  }

  private scalars(type: 'counter' | 'gauge', options: MetricOptions): MetricFamily<MetricSeries> {
    return this.declare(new MetricFamily(type, options, () => new Scalar()))
  }

  private declare<T extends Family & { readonly name: string }>(family: T): T {
    assert.ok(!this.families.has(family.name), `${family.name} is declared twice`)
    this.families.set(family.name, family)
    return family
  }
}

interface Value {
  /** Lines of the page: the suffix of the metric's name, further labels, and the value. */
  samples(): Iterable<readonly [suffix: string, labels: MetricLabels, value: number]>
}

/** All series of one metric. A metric without labels has its one series from the beginning. */
export class MetricFamily<S> {
  readonly name: string
  private readonly type: string
  private readonly help: string
  private readonly labels: readonly string[]
  private readonly create: () => S & Value
  private series = new Map<string, { labels: MetricLabels; value: S & Value }>()

  constructor(type: string, options: MetricOptions, create: () => S & Value) {
    const { name, help, labels = [] } = options
    assert.match(name, /^[a-zA-Z_:][a-zA-Z0-9_:]*$/)
    for (const label of labels) assert.match(label, /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/)
    this.name = name
    this.type = type
    this.help = help
    this.labels = labels
    this.create = create
    if (labels.length === 0) this.at({})
  }

  /** The series with these labels. A caller that sets it often keeps it, to save the look-up. */
  at(labels: MetricLabels): S {
    assert.equal(Object.keys(labels).length, this.labels.length, `labels of ${this.name}`)
    const values = this.labels.map((name) => {
      const value = labels[name]
      assert.ok(value !== undefined, `${this.name} has the label ${name}`)
      return value
    })
    const known = this.series.get(JSON.stringify(values))
    if (known) return known.value
    const isFull = this.series.size >= SERIES_MAX && this.labels.length > 0
    return this.open(isFull ? values.map(() => 'other') : values)
  }

  /** Removes all series, before the current ones are set again: those of ended things disappear. */
  clear(): void {
    this.series = new Map()
  }

  lines(): string[] {
    const help = this.help.replace(/[\\\n]/g, escaped)
    const lines = [`# HELP ${this.name} ${help}`, `# TYPE ${this.name} ${this.type}`]
    for (const { labels, value } of this.series.values()) {
      for (const [suffix, more, number] of value.samples()) {
        const text = labelText({ ...labels, ...more })
        lines.push(`${this.name}${suffix}${text} ${numberText(number)}`)
      }
    }
    return lines
  }

  private open(values: readonly string[]): S {
    const key = JSON.stringify(values)
    const known = this.series.get(key)
    if (known) return known.value
    const labels = Object.fromEntries(this.labels.map((name, index) => [name, values[index] ?? '']))
    const value = this.create()
    this.series.set(key, { labels, value })
    return value
  }
}

class Scalar implements MetricSeries, Value {
  private value = 0

  add(by = 1): void {
    this.value += by
  }

  set(value: number): void {
    this.value = value
  }

  samples() {
    return [['', {}, this.value]] as const
  }
}

class Buckets implements HistogramSeries, Value {
  private readonly bounds: readonly number[]
  private readonly counts: number[]
  private sum = 0
  private count = 0

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = bounds.map(() => 0)
  }

  observe(value: number): void {
    const index = this.bounds.findIndex((bound) => value <= bound)
    if (index >= 0) this.counts[index] = (this.counts[index] ?? 0) + 1
    this.sum += value
    this.count += 1
  }

  *samples() {
    let reached = 0
    for (const [index, bound] of this.bounds.entries()) {
      reached += this.counts[index] ?? 0
      yield ['_bucket', { le: numberText(bound) }, reached] as const
    }
    yield ['_bucket', { le: '+Inf' }, this.count] as const
    yield ['_sum', {}, this.sum] as const
    yield ['_count', {}, this.count] as const
  }
}

function labelText(labels: MetricLabels): string {
  const pairs = Object.entries(labels).map(([name, value]) => {
    return `${name}="${value.replace(/[\\\n"]/g, escaped)}"`
  })
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escaped(character: string): string {
  return character === '\n' ? '\\n' : `\\${character}`
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value)
}
