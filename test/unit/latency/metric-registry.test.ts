import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parsePrometheusText } from '../../../src/engines/prometheus-text.js'
import { MetricRegistry, SERIES_MAX } from '../../../src/latency/metric-registry.js'

describe('a page of metrics', () => {
  it('stands as Prometheus writes it', () => {
    const registry = new MetricRegistry()
    const ended = registry.counter({
      name: 'jobs_total',
      help: 'Jobs\nby "how" \\.',
      labels: ['how'],
    })
    ended.at({ how: 'say "no"\\\n' }).add(2)
    registry.gauge({ name: 'room', help: 'Room.' }).at({}).set(Number.NaN)
    const lag = registry.histogram({ name: 'lag', help: 'Lag.', labels: ['e'], bounds: [0.5, 2] })
    for (const value of [0.5, 0.6, 7]) lag.at({ e: 'a' }).observe(value)
    expect(registry.text()).toBe(
      [
        '# HELP jobs_total Jobs\\nby "how" \\\\.',
        '# TYPE jobs_total counter',
        'jobs_total{how="say \\"no\\"\\\\\\n"} 2',
        '',
        '# HELP room Room.',
        '# TYPE room gauge',
        'room NaN',
        '',
        '# HELP lag Lag.',
        '# TYPE lag histogram',
        'lag_bucket{e="a",le="0.5"} 1',
        'lag_bucket{e="a",le="2"} 2',
        'lag_bucket{e="a",le="+Inf"} 3',
        'lag_sum{e="a"} 8.1',
        'lag_count{e="a"} 3',
        '',
      ].join('\n'),
    )
  })

  it('reads back as it was written, whatever the labels and values are', () => {
    const label = fc.string({ unit: 'binary', maxLength: 8 })
    const series = fc.uniqueArray(
      fc.record({ labels: fc.tuple(label, label), value: fc.double() }),
      {
        selector: ({ labels }) => JSON.stringify(labels),
        maxLength: 8,
      },
    )
    fc.assert(
      fc.property(series, label, (all, help) => {
        const registry = new MetricRegistry()
        const gauge = registry.gauge({ name: 'g', help, labels: ['a', 'b'] })
        for (const {
          labels: [a, b],
          value,
        } of all)
          gauge.at({ a, b }).set(value)
        const read = parsePrometheusText(registry.text())
        expect(read).toEqual(
          all.map(({ labels: [a, b], value }) => ({
            name: 'g',
            labels: { a, b },
            value: Object.is(value, -0) ? 0 : value,
          })),
        )
      }),
      { numRuns: 30 },
    )
  })

  it('counts every observation in each bucket that it fits', () => {
    const values = fc.array(fc.double({ min: -10, max: 100, noNaN: true }), { maxLength: 50 })
    const bounds = fc.uniqueArray(fc.integer({ min: -5, max: 90 }), { maxLength: 12 })
    fc.assert(
      fc.property(values, bounds, (observed, some) => {
        const ascending = some.sort((one, other) => one - other)
        const registry = new MetricRegistry()
        const series = registry.histogram({ name: 'h', help: '', bounds: ascending }).at({})
        for (const value of observed) series.observe(value)
        const read = parsePrometheusText(registry.text())
        const of = (name: string, le?: string) =>
          read.find((sample) => sample.name === name && sample.labels.le === le)?.value
        for (const bound of ascending) {
          const fitting = observed.filter((value) => value <= bound).length
          expect(of('h_bucket', String(bound))).toBe(fitting)
        }
        expect(of('h_bucket', '+Inf')).toBe(observed.length)
        expect(of('h_count')).toBe(observed.length)
        expect(of('h_sum')).toBeCloseTo(observed.reduce((sum, value) => sum + value, 0))
      }),
    )
  })
})

describe('what is declared', () => {
  it.each([
    ['a name twice', (r: MetricRegistry) => [0, 1].map(() => r.gauge({ name: 'a', help: '' }))],
    ['a name with a blank', (r: MetricRegistry) => r.gauge({ name: 'a b', help: '' })],
    [
      'a label with a dash',
      (r: MetricRegistry) => r.gauge({ name: 'a', help: '', labels: ['a-b'] }),
    ],
    ['a reserved label', (r: MetricRegistry) => r.gauge({ name: 'a', help: '', labels: ['__a'] })],
    [
      'bounds that fall',
      (r: MetricRegistry) => r.histogram({ name: 'a', help: '', bounds: [2, 1] }),
    ],
    [
      'a label too few',
      (r: MetricRegistry) => r.gauge({ name: 'a', help: '', labels: ['b'] }).at({}),
    ],
    ['a label too many', (r: MetricRegistry) => r.gauge({ name: 'a', help: '' }).at({ b: 'c' })],
  ])('refuses %s', (_what, declare) => {
    expect(() => declare(new MetricRegistry())).toThrow()
  })

  it('keeps a bounded number of series, and counts the rest as others', () => {
    const registry = new MetricRegistry()
    const counter = registry.counter({ name: 'c', help: '', labels: ['id'] })
    for (let id = 0; id < SERIES_MAX + 30; id += 1) counter.at({ id: `${id}` }).add()
    counter.at({ id: '0' }).add()
    const read = parsePrometheusText(registry.text())
    expect(read).toHaveLength(SERIES_MAX + 1)
    expect(read.find(({ labels }) => labels.id === 'other')?.value).toBe(30)
    expect(read.find(({ labels }) => labels.id === '0')?.value).toBe(2)
  })

  it('forgets gauges that are set anew', () => {
    const registry = new MetricRegistry()
    const gauge = registry.gauge({ name: 'g', help: '', labels: ['engine'] })
    gauge.at({ engine: 'gone' }).set(1)
    gauge.clear()
    gauge.at({ engine: 'here' }).set(1)
    expect(parsePrometheusText(registry.text()).map(({ labels }) => labels.engine)).toEqual([
      'here',
    ])
  })
})
