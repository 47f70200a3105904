import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parsePrometheusText } from '../../../src/engines/prometheus-text.js'

const one = (line: string) => parsePrometheusText(line)[0] ?? null

describe('a line of the Prometheus text format', () => {
  it.each([
    ['a 1', { name: 'a', labels: {}, value: 1 }],
    [
      'vllm:kv_cache_usage_perc 0.25',
      { name: 'vllm:kv_cache_usage_perc', labels: {}, value: 0.25 },
    ],
    ['a{} 1', { name: 'a', labels: {}, value: 1 }],
    ['a{b="c"} 1.0', { name: 'a', labels: { b: 'c' }, value: 1 }],
    ['a{b="c",d="e",} 1', { name: 'a', labels: { b: 'c', d: 'e' }, value: 1 }],
    ['a { b = "c" , d = "" } 1', { name: 'a', labels: { b: 'c', d: '' }, value: 1 }],
    ['  a\t{b="c"}\t 1 ', { name: 'a', labels: { b: 'c' }, value: 1 }],
    ['a{b="}, c=\\"d\\" #"} 1', { name: 'a', labels: { b: '}, c="d" #' }, value: 1 }],
    ['a{b="C:\\\\n\\n\\x"} 1', { name: 'a', labels: { b: 'C:\\n\n\\x' }, value: 1 }],
    ['a 1.5e+03', { name: 'a', labels: {}, value: 1500 }],
    ['a -.5', { name: 'a', labels: {}, value: -0.5 }],
    ['a +Inf', { name: 'a', labels: {}, value: Number.POSITIVE_INFINITY }],
    ['a -Inf', { name: 'a', labels: {}, value: Number.NEGATIVE_INFINITY }],
    ['a NaN', { name: 'a', labels: {}, value: Number.NaN }],
    ['a 1 1770000000000', { name: 'a', labels: {}, value: 1 }],
    [
      'a_bucket{le="+Inf"} 3 # {id="x"} 0.5',
      { name: 'a_bucket', labels: { le: '+Inf' }, value: 3 },
    ],
  ])('%s', (line, sample) => {
    expect(one(line)).toEqual(sample)
  })

  it.each([
    '',
    '# HELP a Something.',
    '# TYPE a gauge',
    '<html>',
    '{"detail":"Not Found"}',
    'a',
    'a{b="c"}',
    'a{b="c" 1',
    'a{b=c} 1',
    'a{b="c} 1',
    'a one',
    'a 0x10',
    '1a 1',
  ])('is none: %s', (line) => {
    expect(one(line)).toBeNull()
  })

  it('says any label back that was written as the format wants it', () => {
    const written = (text: string) =>
      text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
    const finite = fc.double({ noNaN: true, noDefaultInfinity: true })
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), finite, (label, value) => {
        const text = `# TYPE a gauge\nb 1\na{l="${written(label)}"} ${value}\n`
        const sample = parsePrometheusText(text).find(({ name }) => name === 'a')
        expect(sample?.labels).toEqual({ l: label })
        expect(sample?.value).toBe(Number(String(value)))
      }),
    )
  })

  it('takes every line for itself', () => {
    const text = '# HELP x\r\na 1\r\nnonsense here\r\nb{c="d"} 2\r\n'
    expect(parsePrometheusText(text).map(({ name, value }) => [name, value])).toEqual([
      ['a', 1],
      ['b', 2],
    ])
  })
})
