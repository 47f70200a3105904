import type { TranscriptSegment } from '../assemble.js'
import { labelPrefix } from './channel-label.js'

/**
 * Tab-separated segments as Whisper writes them: `start` and `end` in whole ms, `text`, with a
 * header. A channel stands before its text, so that there are always three columns.
 */
export function tsvText(segments: readonly TranscriptSegment[]): string {
  const rows = segments.map(({ startMs, endMs, text, channel }) => {
    const cell = (labelPrefix(channel) + text).replace(/[\t\r\n]+/g, ' ')
    return `${Math.round(startMs)}\t${Math.round(endMs)}\t${cell}\n`
  })
  return ['start\tend\ttext\n', ...rows].join('')
}
