import { Mailbox } from '../../src/kernel/mailbox.js'
import { SAMPLE_BYTES } from '../../src/model/pcm.js'
import type { Transport, TransportEvent, TransportOpener } from '../../src/realtime/index.js'

/** A socket whose other end is the test: it sees what was sent and says what is received. */
export class ScriptedTransport implements Transport, TransportOpener {
  readonly sent: {
    type: string
    final: boolean | undefined
    samples: number | undefined
    atMs: number
  }[] = []
  bufferedBytes = 0
  closedBy: 'close' | 'destroy' | null = null
  private readonly mailbox = new Mailbox<TransportEvent>({ itemsMax: 100_000 })
  private readonly nowMs: () => number
  /** Called after every frame that was sent. */
  onSent: (frame: ScriptedTransport['sent'][number]) => void = () => {}

  constructor(nowMs: () => number) {
    this.nowMs = nowMs
  }

  async open(): Promise<Transport> {
    return this
  }

  send(text: string): void {
    const { type, final, audio } = JSON.parse(text)
    const samples = audio ? Buffer.from(audio, 'base64').byteLength / SAMPLE_BYTES : undefined
    const frame = { type, final, samples, atMs: this.nowMs() }
    this.sent.push(frame)
    this.onSent(frame)
  }

  events(): AsyncIterable<TransportEvent> {
    return this.mailbox
  }

  close(): void {
    this.closedBy ??= 'close'
    this.hangUp(1000)
  }

  destroy(): void {
    this.closedBy ??= 'destroy'
    this.hangUp(1006)
  }

  /** The engine says something. */
  receive(event: object): void {
    this.mailbox.put({ kind: 'message', text: JSON.stringify(event) })
  }

  /** The engine sends bytes that are no text. */
  receiveBinary(bytes: number): void {
    this.mailbox.put({ kind: 'binary', bytes })
  }

  /** The socket is gone. */
  hangUp(code: number): void {
    this.mailbox.put({ kind: 'closed', code, reason: '' })
    this.mailbox.end()
  }

  get appends(): ScriptedTransport['sent'] {
    return this.sent.filter(({ type }) => type === 'input_audio_buffer.append')
  }
}
