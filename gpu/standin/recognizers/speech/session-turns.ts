/** Work of one session that waits for a recognizer. */
export interface WaitingWork {
  /** The session; its works are done in their order. */
  session: object
  audioMs: number
}

/**
 * A fair queue: sessions take turns one after the other, however much work each has waiting, and
 * the works of a session keep their order. Holds at most `audioMsMax` of audio and refuses more.
 */
export class SessionTurns<T extends WaitingWork> {
  /** Waiting work by session, in the order of their turns; a list is never empty. */
  readonly #bySession = new Map<object, T[]>()
  readonly #audioMsMax: number
  #audioMs = 0
  #takers: ((work: T) => void)[] = []

  constructor(options: { audioMsMax: number }) {
    this.#audioMsMax = options.audioMsMax
  }

  /** Audio that waits, in ms. */
  get audioMs(): number {
    return this.#audioMs
  }

  /** @returns false when the queue is full and the work was refused */
  offer(work: T): boolean {
    const taker = this.#takers.shift()
    if (taker !== undefined) {
      taker(work)
      return true
    }
    if (this.#audioMs + work.audioMs > this.#audioMsMax) return false
    this.#audioMs += work.audioMs
    const works = this.#bySession.get(work.session)
    if (works === undefined) this.#bySession.set(work.session, [work])
    else works.push(work)
    return true
  }

  /**
   * The next work, as soon as there is any; callers are served in the order of their calls.
   * @throws the signal's reason; no work is lost then
   */
  take({ signal }: { signal: AbortSignal }): Promise<T> {
    if (signal.aborted) return Promise.reject(signal.reason)
    const work = this.#next()
    if (work !== null) return Promise.resolve(work)
    return new Promise<T>((resolve, reject) => {
      const onAbort = () => {
        this.#takers = this.#takers.filter((other) => other !== taker)
        reject(signal.reason)
      }
      const taker = (taken: T) => {
        signal.removeEventListener('abort', onAbort)
        resolve(taken)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#takers.push(taker)
    })
  }

  /** Forgets all work of a session. */
  forget(session: object): void {
    for (const work of this.#bySession.get(session) ?? []) this.#audioMs -= work.audioMs
    this.#bySession.delete(session)
  }

  #next(): T | null {
    for (const [session, works] of this.#bySession) {
      const work = works.shift()
      // The session goes to the end of the queue, or out of it when no more of its work waits.
      this.#bySession.delete(session)
      if (works.length > 0) this.#bySession.set(session, works)
      if (work === undefined) continue
      this.#audioMs -= work.audioMs
      return work
    }
    return null
  }
}
