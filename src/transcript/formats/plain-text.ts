import { runningText, type TranscriptSegment } from '../assemble.js'
import { endsSentence } from '../words/segmentation.js'
import { labelPrefix } from './channel-label.js'

/** Characters after which a paragraph ends with its sentence. */
const PARAGRAPH_CHARS = 600

/**
 * Paragraphs separated by an empty line. A new one begins after a silence of `paragraphGapMs`,
 * where another channel speaks, and after a sentence once it has 600 characters. Paragraphs of a
 * channel begin with `[Channel 1]`. Empty for no segments.
 */
export function plainText(
  segments: readonly TranscriptSegment[],
  options: { paragraphGapMs: number },
): string {
  const paragraphs: TranscriptSegment[][] = []
  let chars = 0
  let previous: TranscriptSegment | undefined
  for (const segment of segments) {
    const opens =
      previous === undefined ||
      segment.channel !== previous.channel ||
      segment.startMs - previous.endMs >= options.paragraphGapMs ||
      (chars >= PARAGRAPH_CHARS && endsSentence(previous.text, segment.text))
    if (opens) {
      paragraphs.push([segment])
      chars = 0
    } else {
      paragraphs.at(-1)?.push(segment)
    }
    chars += segment.text.length
    previous = segment
  }
  const texts = paragraphs.map((members) => {
    const channel = members[0]?.channel ?? null
    return `${labelPrefix(channel)}${runningText(members)}\n`
  })
  return texts.join('\n')
}
