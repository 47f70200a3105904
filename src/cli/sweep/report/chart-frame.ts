import { element, escapeHtml, label } from './svg.js'

/** Width and height of every chart in SVG units; it scales with the page. */
export const CHART_WIDTH = 560
const CHART_HEIGHT = 320
const MARGIN = { left: 62, right: 78, top: 20, bottom: 44 }

/** The area in which data is drawn. */
export const PLOT = {
  left: MARGIN.left,
  right: CHART_WIDTH - MARGIN.right,
  top: MARGIN.top,
  bottom: CHART_HEIGHT - MARGIN.bottom,
} as const

/** Maps a value to a coordinate. */
export type Scale = (value: number) => number

/** Maps values evenly between two coordinates. */
export function linearScale(
  domain: readonly [number, number],
  range: readonly [number, number],
): Scale {
  const [low, high] = domain
  const [from, to] = range
  return (value) => from + ((value - low) / (high - low || 1)) * (to - from)
}

/** Maps values by their order of magnitude; values below the domain go to its low end. */
export function logScale(
  domain: readonly [number, number],
  range: readonly [number, number],
): Scale {
  const [low, high] = domain
  const inner = linearScale([Math.log10(low), Math.log10(high)], range)
  return (value) => inner(Math.log10(Math.max(low, value)))
}

/** About five round values from 0 up. */
export function evenTicks(high: number): number[] {
  const rough = high / 5
  const magnitude = 10 ** Math.floor(Math.log10(Math.max(rough, 1e-9)))
  const step =
    [1, 2, 5, 10].map((factor) => factor * magnitude).find((one) => one >= rough) ?? rough
  return Array.from({ length: Math.floor(high / step) + 1 }, (_, index) => index * step)
}

/** Powers of ten within a domain. */
export function powerTicks([low, high]: readonly [number, number]): number[] {
  const first = Math.ceil(Math.log10(low) - 1e-9)
  const last = Math.floor(Math.log10(high) + 1e-9)
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => 10 ** (first + index))
}

/** One tick of an axis. */
export interface Tick {
  at: number
  text: string
}

/** Horizontal lines with their values at the left, and the name of the quantity above them. */
export function valueAxis(ticks: readonly Tick[], title: string): string {
  const lines = ticks.flatMap(({ at, text }) => [
    element('line', { x1: PLOT.left, x2: PLOT.right, y1: at, y2: at, class: 'grid' }),
    label(text, { x: PLOT.left - 8, y: at + 4, anchor: 'end' }),
  ])
  return lines.join('') + label(title, { x: 0, y: 12, kind: 'axis' })
}

/** Values below the plot, and the name of the quantity. */
export function baseAxis(ticks: readonly Tick[], title: string): string {
  const y = PLOT.bottom
  const line = element('line', { x1: PLOT.left, x2: PLOT.right, y1: y, y2: y, class: 'base' })
  const values = ticks.map(({ at, text }) => label(text, { x: at, y: y + 17, anchor: 'middle' }))
  const middle = (PLOT.left + PLOT.right) / 2
  const name = label(title, { x: middle, y: y + 38, anchor: 'middle', kind: 'axis' })
  return line + values.join('') + name
}

/** A line for a bound across the plot, named at its right end. */
export function boundLine(y: number, text: string): string {
  const line = element('line', { x1: PLOT.left, x2: PLOT.right, y1: y, y2: y, class: 'bound' })
  return line + label(text, { x: PLOT.right + 6, y: y + 4, kind: 'name' })
}

/** Names at the ends of lines, moved apart where they would overlap. */
export function endNames(ends: readonly { y: number; text: string; kind: string }[]): string {
  const gap = 14
  let lowest = Number.NEGATIVE_INFINITY
  return [...ends]
    .sort((left, right) => left.y - right.y)
    .map(({ y, text, kind }) => {
      lowest = Math.max(y, lowest + gap)
      const swatch = element('rect', {
        ...{ x: PLOT.right + 6, y: lowest - 4, width: 8, height: 8, rx: 2 },
        class: `fill ${kind}`,
      })
      return swatch + label(text, { x: PLOT.right + 19, y: lowest + 4, kind: 'name' })
    })
    .join('')
}

/** A sentence in place of a chart without data. */
export function emptyChart(sentence: string): string {
  const x = CHART_WIDTH / 2
  return label(sentence, { x, y: CHART_HEIGHT / 2, anchor: 'middle', kind: 'axis' })
}

/** A chart with a heading and a sentence on how to read it. */
export function figure(title: string, reading: string, body: string): string {
  const svg = element(
    'svg',
    {
      viewBox: `0 0 ${CHART_WIDTH} ${CHART_HEIGHT}`,
      role: 'img',
      'aria-label': title,
    },
    body,
  )
  const caption = `<h2>${escapeHtml(title)}</h2><p class="reading">${escapeHtml(reading)}</p>`
  return `<figure>${caption}${svg}</figure>`
}
