import type { TranscriptSegment } from '../assemble.js'
import { labelPrefix } from './channel-label.js'

/**
 * Tab-separated segments in Whisper's format: a header, `start` and `end` in whole ms, `text`. The
 * channel is a label in the text, so that there are always three columns.
 */
export function tsvText(segments: readonly TranscriptSegment[]): string {
  const rows = segments.map(({ startMs, endMs, text, channel }) => {
    const cell = (labelPrefix(channel) + text).replace(/[\t\r\n]+/g, ' ')
    return `${Math.round(startMs)}\t${Math.round(endMs)}\t${cell}\n`
  })
  return ['start\tend\ttext\n', ...rows].join('')
}
