/** Work of one session that waits for a recognizer. */
export interface WaitingWork {
  /** Whose it is: works of the same session are done in turn. */
  session: object
  audioMs: number
}

/**
 * Holds work until somebody takes it: sessions have their turns one after the other, however much
 * each has waiting, and the works of a session keep their order. Holds `audioMsMax` of audio; what
 * would be more is refused.
 */
export class SessionTurns<T extends WaitingWork> {
  /** By session, in the order of their turns; never an empty list. */
  readonly #bySession = new Map<object, T[]>()
  readonly #audioMsMax: number
  #audioMs = 0
  #takers: ((work: T) => void)[] = []

  constructor(options: { audioMsMax: number }) {
    this.#audioMsMax = options.audioMsMax
  }

  /** Audio that waits. */
  get audioMs(): number {
    return this.#audioMs
  }

  /** @returns false when there is no room for it; it isn't held then */
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
   * The next work, as soon as there is one; takers are served in their order.
   * @throws the signal's reason; no work is lost by it
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
      // The session goes to the end of the line, or out of it.
      this.#bySession.delete(session)
      if (works.length > 0) this.#bySession.set(session, works)
      if (work === undefined) continue
      this.#audioMs -= work.audioMs
      return work
    }
    return null
  }
}
