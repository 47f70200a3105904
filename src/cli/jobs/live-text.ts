import { printable } from '../../app/printable.js'
import type { Clock } from '../../kernel/clock.js'
import { pauseFor } from '../../kernel/clock.js'
import { NightscribeError } from '../../kernel/errors.js'
import type { JobEvent, JobStore } from '../../queue/index.js'
import { clockText } from '../terminal.js'

/** How often, in ms, new text is asked for. */
const POLL_INTERVAL_MS = 250
/** Most events of a job that are read at a time. */
const EVENTS_MAX = 500
/** A line ends behind a sentence, before a pause of this many ms, or at this length. */
const PAUSE_MS = 2_000
const LINE_CHARS_MAX = 100
const SENTENCE_END = /[.!?…]$/

/** A job whose text is shown while it comes. */
export interface FollowedJob {
  jobId: string
  name: string
}

type TextEvent = Extract<JobEvent, { type: 'text' }>

/**
 * Makes lines of the text of one channel: `0:12  Good morning, everyone.` Text that is heard again,
 * after a leg was replayed, is left out.
 */
export class LiveLines {
  readonly #write: (line: string) => void
  #words: string[] = []
  #startMs = 0
  #endMs = Number.NEGATIVE_INFINITY

  /** @param write receives whole lines */
  constructor(write: (line: string) => void) {
    this.#write = write
  }

  add({ endMs, text }: Pick<TextEvent, 'endMs' | 'text'>): void {
    if (endMs <= this.#endMs) return
    if (endMs - this.#endMs > PAUSE_MS) this.flush()
    if (this.#words.length === 0) this.#startMs = endMs
    this.#endMs = endMs
    this.#words.push(text.trim())
    const line = this.#words.join(' ')
    if (SENTENCE_END.test(line) || line.length >= LINE_CHARS_MAX) this.flush()
  }

  /** Writes what there is of a line. */
  flush(): void {
    const line = printable(this.#words.join(' ').trim())
    this.#words = []
    if (line !== '') this.#write(`${clockText(this.#startMs)}  ${line}`)
  }
}

/**
 * Writes the text of jobs line by line as it comes, until `ended` resolves; then what came last. A
 * line bears the name of its recording where there are several, and its channel where each has a
 * lane. Says nothing while Redis is unreachable.
 * @returns the ids of the jobs that had any
 * @throws the signal's reason
 */
export async function followText(
  ports: { jobStore: JobStore; clock: Clock },
  jobs: readonly FollowedJob[],
  options: { ended: Promise<unknown>; write: (line: string) => void; signal: AbortSignal },
): Promise<Set<string>> {
  const { signal, write } = options
  const withText = new Set<string>()
  const over = new AbortController()
  const end = () => over.abort(new Error('all jobs have ended'))
  options.ended.then(end, end)
  const readers = jobs.map(({ jobId, name }) => {
    const head = jobs.length > 1 ? `${name}  ` : ''
    return { jobId, head, afterId: '0', channels: new Map<number | null, LiveLines>() }
  })
  const readAll = async () => {
    for (const reader of readers) await readOn(reader)
  }
  while (!over.signal.aborted) {
    await readAll()
    await pauseFor(ports.clock, POLL_INTERVAL_MS, { signal: over.signal })
    signal.throwIfAborted()
  }
  await readAll()
  for (const { channels } of readers) for (const lines of channels.values()) lines.flush()
  return withText

  async function readOn(reader: (typeof readers)[number]): Promise<void> {
    for (;;) {
      const page = { afterId: reader.afterId, limit: EVENTS_MAX }
      const entries = await ports.jobStore.events(reader.jobId, page, { signal }).catch((error) => {
        const isAway = error instanceof NightscribeError && error.code === 'queue_unavailable'
        if (signal.aborted || !isAway) throw error
        return []
      })
      for (const { event } of entries) {
        if (event.type !== 'text') continue
        const { channel } = event
        const place = channel === null ? reader.head : `${reader.head}[${channel}]  `
        const lines =
          reader.channels.get(channel) ?? new LiveLines((line) => write(`${place}${line}`))
        reader.channels.set(channel, lines)
        lines.add(event)
        withText.add(reader.jobId)
      }
      reader.afterId = entries.at(-1)?.id ?? reader.afterId
      if (entries.length < EVENTS_MAX) return
    }
  }
}
