/** `hh:mm:ss`, `separator` and the milliseconds; hours have as many digits as they need. */
export function subtitleTime(timeMs: number, separator: ',' | '.'): string {
  const wholeMs = Math.max(0, Math.round(timeMs))
  const hours = Math.floor(wholeMs / 3_600_000)
  const minutes = Math.floor(wholeMs / 60_000) % 60
  const seconds = Math.floor(wholeMs / 1000) % 60
  const clock = [hours, minutes, seconds].map((part) => String(part).padStart(2, '0')).join(':')
  return `${clock}${separator}${String(wholeMs % 1000).padStart(3, '0')}`
}
