import type WebSocket from 'ws'
import type { RawData } from 'ws'
import { reasonOf } from '../../src/kernel/errors.js'
import { SAMPLE_BYTES } from '../../src/media/pcm.js'
import { PROMPT_TOKENS } from '../../src/media/step-law.js'
import { AudioQueue } from './audio-queue.js'
import {
  type ClientEvent,
  modelNotFound,
  parseClientEvent,
  processingError,
} from './client-event.js'
import { Generation } from './generation.js'
import {
  createdFrame,
  deltaFrame,
  doneFrame,
  errorFrame,
  updatedFrame,
  type WireErrorCode,
} from './server-event.js'
import type { SessionFaults } from './session-faults.js'
import { ENGINE_DEAD, type EngineSession, type StandinEngine } from './standin-engine.js'

/** Bytes of frames that the client hasn't read; beyond, its session waits, as in vLLM's server. */
const UNREAD_BYTES_MAX = 64 * 1024

const NOT_VALIDATED =
  'Model not validated. Make sure to validate the model by sending a session.update event.'

/**
 * One socket, with the state that vLLM keeps for it: whether the model was validated once, what was
 * appended and not yet heard, and at most one generation. Three modes:
 * - idle: appends and finals pile up in the queue; a commit starts a generation on it;
 * - generating: the generation hears the queue up to its first END, the rest waits; a commit is
 *   ignored; `done` empties the queue and leads back to idle, an error leaves it as it is;
 * - closed: everything is freed at once and nothing is sent.
 */
export class Connection implements EngineSession {
  private readonly socket: WebSocket
  private readonly engine: StandinEngine
  private readonly faults: SessionFaults
  private readonly queue = new AudioQueue()
  private current: Generation | null = null
  private isValidated = false
  /** The client doesn't read: no step until it does. */
  private isBlocked = false
  private restTimer: NodeJS.Timeout | null = null
  private idleTimer: NodeJS.Timeout | null = null

  constructor(socket: WebSocket, engine: StandinEngine, faults: SessionFaults) {
    this.socket = socket
    this.engine = engine
    this.faults = faults
    engine.sessions.add(this)
    engine.counters.connections += 1
    socket.on('message', (data, isBinary) => this.receive(data, isBinary))
    socket.on('close', () => this.cleanUp())
    // A 'close' follows; the server has no use for the reason.
    socket.on('error', () => {})
    const { clock, random } = engine.settings
    this.send(createdFrame(`sess-${random.hexId(8)}`, Math.floor(clock.wallMs() / 1000)))
    this.restartIdleTimer()
  }

  get generation(): Generation | null {
    return this.current
  }

  step(): boolean {
    const generation = this.current
    if (!generation || !this.isOpen || this.isBlocked || this.restTimer) return false
    if (this.isBefallen(generation)) return false
    if (generation.isStarted && !this.engine.seats.take(this)) return false
    try {
      return this.advance(generation)
    } catch (error) {
      this.fail(reasonOf(error))
      return false
    }
  }

  engineDied(): void {
    if (this.current) this.fail(ENGINE_DEAD)
  }

  close(code: number): void {
    if (code === 1006) this.socket.terminate()
    else this.socket.close(code)
  }

  private get isOpen(): boolean {
    return this.socket.readyState === this.socket.OPEN
  }

  private receive(data: RawData, isBinary: boolean): void {
    // vLLM's receive loop knows only text: anything else ends it, and the connection with it.
    if (isBinary) this.socket.terminate()
    if (!this.isOpen) return
    this.restartIdleTimer()
    try {
      this.handle(parseClientEvent(data.toString()))
    } catch (error) {
      // A recognizer that can't be started, say: as in vLLM the client is told, and may go on.
      this.handle(processingError(reasonOf(error)))
    }
  }

  private handle(event: ClientEvent): void {
    if (event.kind === 'refused') this.refuse(event.error, event.code)
    else if (event.kind === 'update') this.update(event.model)
    else if (event.kind === 'append') this.append(event.samples)
    else if (!this.isValidated) this.refuse(NOT_VALIDATED, 'model_not_validated')
    else if (typeof event.final !== 'boolean') this.handle(event.final)
    else this.commit(event.final)
  }

  private update(model: unknown): void {
    if (model === null) {
      this.refuse('Missing required field: model', 'invalid_event')
    } else if (isTruthy(model) && model !== this.engine.settings.modelId) {
      this.handle(modelNotFound(model))
    } else {
      this.isValidated = true
      if (this.faults.of('ack_update')) this.send(updatedFrame(model))
    }
  }

  private append(samples: Int16Array): void {
    const fault = this.faults.onAppend(samples.length * SAMPLE_BYTES)
    if (fault === 'invalid_audio') this.refuse('Invalid audio data', fault)
    else if (fault || !this.queue.push(samples)) this.refuse('Audio buffer is full', 'buffer_full')
    else this.hear()
  }

  private commit(final: boolean): void {
    if (final) {
      this.queue.pushEnd()
    } else if (!this.engine.isAlive) {
      this.handle(processingError(ENGINE_DEAD))
    } else if (!this.current) {
      const { recognizer, maxModelLen } = this.engine.settings
      this.current = new Generation({
        recognizer,
        maxModelLen,
        rightPadding: this.faults.of('no_right_padding') === null,
        onProgress: () => this.wake(),
      })
    }
    this.hear()
  }

  private hear(): void {
    if (!this.current) return
    this.queue.drainInto(this.current)
    this.wake()
  }

  private advance(generation: Generation): boolean {
    const { state, deltas } = generation
    if (state === 'waiting') return false
    if (state === 'done' || this.faults.isDue('early_done', deltas)) {
      if (!this.faults.of('no_done')) this.finish(generation)
      return false
    }
    if (deltas === 0) this.engine.counters.promptTokens += PROMPT_TOKENS
    this.engine.counters.generationTokens += 1
    this.send(deltaFrame(generation.take({ blank: this.faults.isBlank(deltas) })))
    this.rest()
    return true
  }

  /** Sends `done`; what was appended since END is lost, as it is in vLLM. */
  private finish(generation: Generation): void {
    const completionTokens = generation.deltas
    const promptTokens = completionTokens > 0 ? PROMPT_TOKENS : 0
    this.send(doneFrame(generation.text, { promptTokens, completionTokens }))
    this.engine.counters.finished += 1
    if (generation.isCapped) this.engine.counters.capped += 1
    this.endGeneration()
    this.queue.clear()
  }

  /** Lets one of the faults happen that interrupt a generation, if one is due. */
  private isBefallen({ deltas }: Generation): boolean {
    const { faults } = this
    const death = faults.of('engine_death')
    if (death && deltas >= death.afterDeltas) this.engine.die(death)
    else if (faults.isDue('drop', deltas)) this.socket.terminate()
    else if (faults.isDue('processing_error', deltas)) this.fail('The stand-in was told to fail')
    else return faults.isDue('stall', deltas)
    return true
  }

  private fail(message: string): void {
    this.handle(processingError(message))
    this.engine.counters.failed += 1
    this.endGeneration()
  }

  private endGeneration(): void {
    this.current?.close()
    this.current = null
    this.faults.onUtteranceEnd()
    this.engine.loop.forget(this)
    this.engine.seats.release(this)
  }

  private rest(): void {
    const slow = this.faults.of('slow_deltas')
    if (!slow) return
    this.restTimer = setTimeout(() => {
      this.restTimer = null
      this.wake()
    }, slow.everyMs)
  }

  private restartIdleTimer(): void {
    const idle = this.faults.of('idle_timeout')
    if (!idle) return
    if (this.idleTimer) clearTimeout(this.idleTimer)
    this.idleTimer = setTimeout(() => {
      this.refuse('Session idle timeout', 'idle_timeout')
      this.socket.close(1000)
    }, idle.afterMs)
  }

  private wake(): void {
    if (this.current) this.engine.loop.wake(this)
  }

  private refuse(error: string, code: WireErrorCode): void {
    this.send(errorFrame(error, code))
  }

  private send(frame: string): void {
    if (!this.isOpen) return
    this.socket.send(frame, this.onFlushed)
    this.isBlocked = this.socket.bufferedAmount > UNREAD_BYTES_MAX
  }

  private readonly onFlushed = (): void => {
    if (!this.isBlocked || this.socket.bufferedAmount > UNREAD_BYTES_MAX) return
    this.isBlocked = false
    this.wake()
  }

  private cleanUp(): void {
    if (this.current) this.engine.counters.aborted += 1
    this.endGeneration()
    this.queue.clear()
    this.engine.sessions.delete(this)
    if (this.restTimer) clearTimeout(this.restTimer)
    if (this.idleTimer) clearTimeout(this.idleTimer)
  }
}

/** As Python sees it: empty lists and dicts are false too. */
function isTruthy(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return Boolean(value)
  return Object.keys(value).length > 0
}
