import type { Recognizer, RecognizerFactory } from '../../gpu/standin/recognizers/recognizer.js'
import { SAMPLE_RATE } from '../../src/model/pcm.js'
import type { WordPlaces } from './night-recordings.js'

/** What one session of an engine was sent: the truth about what was done, and done again. */
export interface HeardSession {
  readonly engine: number
  /** When its first audio came; monotonic. */
  readonly openedMs: number
  lastFedMs: number
  /** Audio that it was sent. */
  audioMs: number
  /** The client said that no more comes. */
  isComplete: boolean
  closedMs: number | null
  /** `<recording>/<lane>`, known with the first word. */
  lane: string | null
  /** Where in the recording its audio begins. */
  startMs: number
  /** How far the sessions that were open when it began had come. */
  readonly before: ReadonlyMap<HeardSession, number>
}

/** Listens at the engines: all that was ever sent to them, session by session. */
export class HeardSessions {
  readonly all: HeardSession[] = []
  /** Audio that was sent in all. */
  private readonly open = new Set<HeardSession>()
  private readonly places: WordPlaces
  private readonly nowMs: () => number

  /** @param places of all words that can come, each of which comes once in all recordings */
  constructor(places: WordPlaces, nowMs: () => number) {
    this.places = places
    this.nowMs = nowMs
  }

  /** Lanes that are being sent just now. */
  get openLanes(): string[] {
    return [...this.open].flatMap(({ lane }) => lane ?? [])
  }

  /** Recognizers as they are, with their sessions written down. */
  listening(factory: RecognizerFactory, engine: number): RecognizerFactory {
    return {
      name: factory.name,
      deltaDelayMs: factory.deltaDelayMs,
      start: () => factory.start(),
      create: (onProgress) => this.heard(factory.create(onProgress), engine),
      close: () => factory.close(),
    }
  }

  private heard(recognizer: Recognizer, engine: number): Recognizer {
    let session: HeardSession | null = null
    return {
      feed: (samples) => {
        session ??= this.begin(engine)
        session.audioMs += (samples.length / SAMPLE_RATE) * 1000
        session.lastFedMs = this.nowMs()
        recognizer.feed(samples)
      },
      end: () => {
        if (session) session.isComplete = true
        recognizer.end()
      },
      get settledMs() {
        return recognizer.settledMs
      },
      take: () => {
        const words = recognizer.take()
        const [first] = words
        if (session && first && session.lane === null) this.place(session, first)
        return words
      },
      close: () => {
        if (session) {
          session.closedMs ??= this.nowMs()
          this.open.delete(session)
        }
        recognizer.close()
      },
    }
  }

  private begin(engine: number): HeardSession {
    const openedMs = this.nowMs()
    const session: HeardSession = {
      ...{ engine, openedMs, lastFedMs: openedMs, audioMs: 0, isComplete: false },
      ...{ closedMs: null, lane: null, startMs: 0 },
      before: new Map([...this.open].map((other) => [other, other.audioMs])),
    }
    this.open.add(session)
    this.all.push(session)
    return session
  }

  private place(session: HeardSession, first: { text: string; endMs: number }): void {
    const place = this.places.get(first.text)
    if (!place) return // a warm-up, or none of ours
    session.lane = place.lane
    session.startMs = Math.max(0, place.endMs - first.endMs)
  }
}
