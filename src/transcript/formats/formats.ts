import type { AssembledTranscript } from '../assemble.js'
import { plainText } from './plain-text.js'
import { srtText } from './srt.js'
import { type SubtitleLimits, subtitleCues } from './subtitle-cues.js'
import { tsvText } from './tsv.js'
import { vttText } from './vtt.js'

/** A transcript in one of its text formats, to be stored as UTF-8. */
export interface TranscriptFile {
  readonly name: 'transcript.srt' | 'transcript.vtt' | 'transcript.txt' | 'transcript.tsv'
  readonly contentType: string
  readonly text: string
}

/** A silence begins a paragraph when it is this many times longer than one that ends a segment. */
const PARAGRAPH_GAPS = 2

/**
 * Every text format, in the order in which they are stored. An empty transcript has all of them,
 * too.
 */
export function transcriptFiles(
  transcript: AssembledTranscript,
  limits: SubtitleLimits,
): TranscriptFile[] {
  const { segments } = transcript
  const cues = subtitleCues(transcript, limits)
  const text = plainText(segments, { paragraphGapMs: PARAGRAPH_GAPS * limits.gapMaxMs })
  return [
    { name: 'transcript.srt', contentType: 'application/x-subrip', text: srtText(cues) },
    { name: 'transcript.vtt', contentType: 'text/vtt', text: vttText(cues) },
    { name: 'transcript.txt', contentType: 'text/plain; charset=utf-8', text },
    {
      name: 'transcript.tsv',
      contentType: 'text/tab-separated-values; charset=utf-8',
      text: tsvText(segments),
    },
  ]
}
