/** Escapes text for HTML and SVG, also inside attributes. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

/** Attributes of an element; numbers are rounded to 0.1. */
export type Attributes = Readonly<Record<string, string | number>>

/** An element around parts that are already markup. */
export function element(name: string, attributes: Attributes, ...parts: readonly string[]): string {
  const text = Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${escapeHtml(attributeText(value))}"`)
    .join('')
  return parts.length === 0 ? `<${name}${text}/>` : `<${name}${text}>${parts.join('')}</${name}>`
}

function attributeText(value: string | number): string {
  return typeof value === 'number' ? String(Math.round(value * 10) / 10) : value
}

/** A piece of text at a point; its class sets colour and size. */
export function label(
  text: string,
  {
    x,
    y,
    anchor = 'start',
    kind = 'tick',
  }: { x: number; y: number; anchor?: string; kind?: string },
): string {
  return element('text', { x, y, 'text-anchor': anchor, class: kind }, escapeHtml(text))
}

/** A line through points in order; null interrupts it. */
export function polyline(
  points: readonly (readonly [number, number] | null)[],
  kind: string,
): string {
  let path = ''
  let pen = 'M'
  for (const point of points) {
    if (point === null) pen = 'M'
    else {
      path += `${pen}${point[0].toFixed(1)} ${point[1].toFixed(1)}`
      pen = 'L'
    }
  }
  return path === '' ? '' : element('path', { d: path, class: `line ${kind}` })
}

/** A dot that shows its title when pointed at. */
export function dot(
  [x, y]: readonly [number, number],
  kind: string,
  title: string,
  radius = 4,
): string {
  const says = element('title', {}, escapeHtml(title))
  return element('circle', { cx: x, cy: y, r: radius, class: `dot ${kind}` }, says)
}
