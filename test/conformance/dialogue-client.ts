import { performance } from 'node:perf_hooks'
import WebSocket from 'ws'
import type { ClientSight, ClientStep, DialogueHeader, DialogueLine } from './dialogue.js'

/** How a connection ended, or that it never began. */
type Ending = { closed: number; reason: string } | { refused: number }

/**
 * A plain WebSocket client that does what it is told and writes down what it sees. Connecting until
 * the upgrade is answered, open until either side closes, ended afterwards: `ending` is set and no
 * line follows.
 */
export class DialogueClient {
  /** Everything done and seen, in order. */
  readonly lines: DialogueLine[] = []
  private readonly socket: WebSocket
  private readonly startedMs = performance.now()
  private readonly opened: Promise<void>
  private sightCount = 0
  private quietSinceMs = performance.now()
  private ending: Ending | null = null
  private waiters: Array<() => void> = []

  /** @param address `ws://host:port` without a path */
  constructor(address: string, header: Pick<DialogueHeader, 'key' | 'path'>) {
    const headers = header.key === null ? {} : { authorization: `Bearer ${header.key}` }
    this.socket = new WebSocket(new URL(header.path, address), {
      headers,
      perMessageDeflate: false,
      maxPayload: 64 * 1024 * 1024,
    })
    this.opened = new Promise((resolve) => {
      this.socket.on('open', resolve)
      this.socket.on('unexpected-response', (request, response) => {
        response.resume()
        request.destroy()
        this.end({ refused: response.statusCode ?? 0 })
        resolve()
      })
      this.socket.on('close', (code, reason) => {
        this.end({ closed: code, reason: reason.toString() })
        resolve()
      })
    })
    // A 'close' follows every error once the socket was open; before, `refused` says it all.
    this.socket.on('error', () => {})
    this.socket.on('pong', () => this.see({ pong: true }))
    this.socket.on('message', (data) => {
      this.see({ recv: JSON.parse(data.toString()) as Record<string, unknown> })
    })
  }

  /** Frames, pongs and the ending seen so far. */
  get sights(): number {
    return this.sightCount
  }

  /** Whether the connection is over. */
  get ended(): boolean {
    return this.ending !== null
  }

  /** Milliseconds since anything was last done or seen. */
  get quietMs(): number {
    return performance.now() - this.quietSinceMs
  }

  /** Resolves when the upgrade was answered, whatever the answer. */
  open(): Promise<void> {
    return this.opened
  }

  /** Does one step and writes it down. Steps after the end are written down, and do nothing. */
  perform(step: ClientStep): void {
    this.note(step)
    if (this.socket.readyState !== WebSocket.OPEN) return
    if ('send' in step) this.socket.send(JSON.stringify(withNoise(step.send)))
    else if ('sendText' in step) this.socket.send(step.sendText)
    else if ('sendTextBytes' in step) this.socket.send('x'.repeat(step.sendTextBytes))
    else if ('sendBinaryBytes' in step) this.socket.send(Buffer.alloc(step.sendBinaryBytes))
    else if ('ping' in step) this.socket.ping()
    else if ('vanish' in step) this.socket.terminate()
    else if (step.code === null) this.socket.close()
    else this.socket.close(step.code ?? 1000, step.reason)
  }

  /**
   * Resolves to true once `condition` holds, to false when nothing was done or seen for
   * `quietMsMax` before it did.
   */
  async until(condition: () => boolean, quietMsMax: number): Promise<boolean> {
    while (!condition()) {
      const leftMs = quietMsMax - this.quietMs
      if (leftMs <= 0) return false
      await this.nextSight(leftMs)
    }
    return true
  }

  /** Resolves when nothing was done or seen for so long, or the connection is over. */
  async untilQuiet(quietMs: number): Promise<void> {
    while (!this.ended && this.quietMs < quietMs) await this.nextSight(quietMs - this.quietMs)
  }

  /** Frees the socket without a word. */
  drop(): void {
    this.socket.terminate()
  }

  private nextSight(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.ceil(timeoutMs))
      this.waiters.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  private end(ending: Ending): void {
    if (this.ending) return
    this.ending = ending
    this.see(ending)
  }

  private see(sight: ClientSight): void {
    this.sightCount += 1
    this.note(sight)
    const waiters = this.waiters
    this.waiters = []
    for (const wake of waiters) wake()
  }

  private note(line: ClientStep | ClientSight): void {
    this.quietSinceMs = performance.now()
    const t = Math.round(this.quietSinceMs - this.startedMs) / 1000
    this.lines.push({ t, ...line })
  }
}

/** An append that gives `samples` becomes one with that much noise as base64 PCM16. */
function withNoise(event: Record<string, unknown>): Record<string, unknown> {
  if (event.type !== 'input_audio_buffer.append' || typeof event.samples !== 'number') {
    return event
  }
  return { type: event.type, audio: noisePcm(event.samples).toString('base64') }
}

/** Quiet noise, the same one each time: PCM16 little endian. */
function noisePcm(samples: number): Buffer {
  const pcm = Buffer.alloc(samples * 2)
  let state = 1
  for (let index = 0; index < samples; index += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    pcm.writeInt16LE((state >>> 20) - 2048, index * 2)
  }
  return pcm
}
