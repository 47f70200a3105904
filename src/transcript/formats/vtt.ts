import { channelLabel } from './channel-label.js'
import type { SubtitleCue } from './subtitle-cues.js'
import { subtitleTime } from './subtitle-time.js'

/**
 * WebVTT as the W3C defines it: channels are voice spans; `&`, `<` and `>` are escaped, so that no
 * text contains `-->`. Only the header for no cues.
 */
export function vttText(cues: readonly SubtitleCue[]): string {
  const blocks = cues.map(({ startMs, endMs, lines, channel }) => {
    const times = `${subtitleTime(startMs, '.')} --> ${subtitleTime(endMs, '.')}`
    const voice = channel === null ? '' : `<v ${channelLabel(channel)}>`
    return `${times}\n${voice}${lines.map(escaped).join('\n')}\n`
  })
  return ['WEBVTT\n', ...blocks].join('\n')
}

function escaped(line: string): string {
  return line.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
