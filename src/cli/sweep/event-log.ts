import { createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { InputError, reasonOf, systemCode, UpstreamError } from '../../kernel/errors.js'
import { decodeEvent, encodeEvent, type SweepEvent } from '../../planning/sweep/events.js'

/** Characters of events that are collected into one write. */
const CHUNK_CHARS = 64 * 1024
/**
 * Most characters that may wait for a slow disk: minutes of 100 sessions. Beyond that the sweep
 * fails instead of filling the memory.
 */
const WAITING_CHARS_MAX = 32 * 2 ** 20

/**
 * Writes `events.ndjson` while the sweep runs, so that a killed sweep loses little. `write` never
 * waits: it collects, and one write to the disk is in progress at a time. Open until disposed.
 * Failed when the disk is full or far too slow: `failure` is set, and later events are dropped.
 */
export class EventLog implements AsyncDisposable {
  /** The error after which no more is written; null while all is well. */
  failure: UpstreamError | null = null
  private waiting = ''
  private writing: Promise<void> | null = null
  private written = 0
  private readonly file: FileHandle
  private readonly path: string

  private constructor(file: FileHandle, path: string) {
    this.file = file
    this.path = path
  }

  /** @throws InputError when the file exists already; UpstreamError `output_write_failed` */
  static async create(path: string): Promise<EventLog> {
    try {
      return new EventLog(await open(path, 'wx'), path)
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw writeFailure(path, error)
      throw new InputError(
        'input_unsupported',
        `${path} is there already, of another sweep; give --out another folder.`,
        { cause: error },
      )
    }
  }

  write(event: SweepEvent): void {
    if (this.failure) return
    this.waiting += `${encodeEvent(event)}\n`
    if (this.waiting.length > WAITING_CHARS_MAX) this.failure = writeFailure(this.path, null)
    else if (this.waiting.length >= CHUNK_CHARS) this.writing ??= this.writeWaiting()
  }

  /** Starts writing the collected events now, without waiting for a full piece. */
  push(): void {
    if (this.waiting !== '' && !this.failure) this.writing ??= this.writeWaiting()
  }

  /**
   * Writes all events to the disk.
   * @returns bytes in the file, which is where the next event begins
   * @throws UpstreamError `output_write_failed`
   */
  async flush(): Promise<number> {
    while (this.failure === null && (this.writing !== null || this.waiting !== '')) {
      this.writing ??= this.writeWaiting()
      await this.writing
    }
    if (this.failure) throw this.failure
    return this.written
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.flush().catch(() => {}) // `failure` has told the sweep already
    await this.file.close()
  }

  private async writeWaiting(): Promise<void> {
    const chunk = Buffer.from(this.waiting)
    this.waiting = ''
    try {
      await this.file.appendFile(chunk)
      this.written += chunk.byteLength
    } catch (error) {
      this.failure = writeFailure(this.path, error)
    }
    this.writing = null
    if (this.waiting.length >= CHUNK_CHARS) this.writing = this.writeWaiting()
  }
}

/** The error for a file of a report that can't be written; `cause` null: the disk is too slow. */
export function writeFailure(path: string, cause: unknown): UpstreamError {
  const why = cause === null ? 'the disk is too slow for it' : reasonOf(cause)
  return new UpstreamError('output_write_failed', `${path} can't be written: ${why}.`, {
    cause,
    effect: 'none',
  })
}

/** The events from a byte on, which must be the start of a line. */
export async function* readEvents(path: string, startByte: number): AsyncIterable<SweepEvent> {
  const lines = createInterface({ input: createReadStream(path, { start: startByte }) })
  for await (const line of lines) yield decodeEvent(line)
}
