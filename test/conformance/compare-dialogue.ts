import { type Dialogue, type DialogueLine, isSight } from './dialogue.js'

type Frame = Record<string, unknown>

/**
 * What differs between a recording and what was seen when it was played again, one readable line
 * each; none when they agree. What is compared:
 * - `frames`: the frames one by one, by type, `usage`, `code` and `error` (except the text of a
 *   `processing_error`, which is Python's); not the words, but `done.text` must be what the deltas
 *   before it add up to;
 * - `kinds`: all frames but the deltas as above; of deltas only whether there are any;
 * - in both: pongs, and the close code or the status of a refused upgrade; not the reason, which
 *   vLLM words in more than one way.
 */
export function compareDialogue(recorded: Dialogue, seen: readonly DialogueLine[]): string[] {
  const byCount = recorded.header.compare === 'frames'
  const wanted = framesOf(recorded.lines)
  const got = framesOf(seen)
  return [
    ...differences('frame', shapes(wanted, byCount), shapes(got, byCount)),
    ...hasDeltas(wanted, got),
    ...wrongDoneTexts(got),
    ...wrongEnding(recorded, seen),
  ]
}

function framesOf(lines: readonly DialogueLine[]): Frame[] {
  return lines.flatMap((line) => ('recv' in line ? [line.recv] : []))
}

function shapes(frames: readonly Frame[], withDeltas: boolean): string[] {
  return frames.flatMap((frame) => {
    const { type, code, usage } = frame
    if (type === 'transcription.delta') return withDeltas ? [JSON.stringify({ type })] : []
    const error = code === 'processing_error' ? '(any text)' : frame.error
    return [JSON.stringify({ type, code, error, usage })]
  })
}

function hasDeltas(wanted: readonly Frame[], got: readonly Frame[]): string[] {
  const isDelta = (frame: Frame) => frame.type === 'transcription.delta'
  if (wanted.some(isDelta) === got.some(isDelta)) return []
  return [wanted.some(isDelta) ? 'no delta came' : 'deltas came where the recording has none']
}

function wrongDoneTexts(frames: readonly Frame[]): string[] {
  const wrong: string[] = []
  let text = ''
  for (const frame of frames) {
    if (frame.type === 'transcription.delta') text += String(frame.delta)
    if (frame.type !== 'transcription.done') continue
    if (frame.text !== text) {
      wrong.push(`done.text is ${JSON.stringify(frame.text)}, its deltas ${JSON.stringify(text)}`)
    }
    text = ''
  }
  return wrong
}

function wrongEnding({ header, lines }: Dialogue, seen: readonly DialogueLine[]): string[] {
  const wanted = endingOf(lines)
  const got = endingOf(seen)
  const raced = header.closedAlso !== undefined && got.at(-1) === closedWith(header.closedAlso)
  return differences('ending', raced ? [...wanted.slice(0, -1), ...got.slice(-1)] : wanted, got)
}

/** Pongs and the end of the connection. */
function endingOf(lines: readonly DialogueLine[]): string[] {
  return lines.filter(isSight).flatMap((line) => {
    if ('pong' in line) return ['pong']
    if ('refused' in line) return [`upgrade refused with ${line.refused}`]
    return 'closed' in line ? [closedWith(line.closed)] : []
  })
}

function closedWith(code: number): string {
  return `closed with ${code}`
}

function differences(what: string, wanted: readonly string[], got: readonly string[]): string[] {
  const length = Math.max(wanted.length, got.length)
  const index = Array.from({ length }).findIndex((_, at) => wanted[at] !== got[at])
  if (index < 0) return []
  const count = wanted.length === got.length ? '' : ` (${got.length} instead of ${wanted.length})`
  return [
    `${what} ${index}${count}: recorded ${wanted[index] ?? 'nothing'}, got ${got[index] ?? 'nothing'}`,
  ]
}
