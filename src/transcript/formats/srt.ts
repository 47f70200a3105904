import { labelPrefix } from './channel-label.js'
import type { SubtitleCue } from './subtitle-cues.js'
import { subtitleTime } from './subtitle-time.js'

/**
 * SubRip: counters from 1, a comma before the milliseconds, `[Channel 1]` before the text of a
 * channel. The format has no escapes: a space is put into text that a player would take for markup
 * (`-->`, a tag, an `{\an8}`). Empty for no cues.
 */
export function srtText(cues: readonly SubtitleCue[]): string {
  return cues
    .map(({ startMs, endMs, lines, channel }, index) => {
      const times = `${subtitleTime(startMs, ',')} --> ${subtitleTime(endMs, ',')}`
      const text = labelPrefix(channel) + lines.map(withoutMarkup).join('\n')
      return `${index + 1}\n${times}\n${text}\n\n`
    })
    .join('')
}

function withoutMarkup(line: string): string {
  return line.replaceAll('-->', '-- >').replace(/<(?=[a-z/])|\{(?=\\)/gi, '$& ')
}
