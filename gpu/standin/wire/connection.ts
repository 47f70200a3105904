import { reasonOf } from '../../../src/kernel/errors.js'
import { SAMPLE_BYTES } from '../../../src/model/pcm.js'
import { promptTokens } from '../../../src/model/step-law.js'
import { Alarm } from '../engine/alarm.js'
import { AudioQueue } from '../engine/audio-queue.js'
import { Generation } from '../engine/generation.js'
import { ENGINE_DEAD, type EngineSession, type StandinEngine } from '../engine/standin-engine.js'
import type { CloseMoment } from '../faults/fault-kinds.js'
import type { SessionFaults } from '../faults/session-faults.js'
import {
  type ClientEvent,
  modelNotFound,
  parseClientEvent,
  processingError,
} from './client-event.js'
import {
  createdFrame,
  deltaFrame,
  doneFrame,
  errorFrame,
  updatedFrame,
  type WireErrorCode,
} from './server-event.js'
import type { Wire } from './wire.js'

const NOT_VALIDATED =
  'Model not validated. Make sure to validate the model by sending a session.update event.'

/** How a session takes the engine with it at `max_model_len`, as in vLLM before 0.32. */
const DEATH_AT_MAX_MODEL_LEN = { closeMs: 260, downMs: -1, abrupt: 0, term: 0, abortDeltas: 0 }

/**
 * One client, with the state that vLLM keeps for it: whether the model was validated once, audio
 * that was appended and not yet used, and at most one generation. Three modes:
 * - idle: appends and final commits are queued; a commit starts a generation on the queue;
 * - generating: the generation takes the queue up to its first END, the rest waits. A commit is
 *   ignored. `done` empties the queue and leads back to idle; an error leaves the queue as it is;
 * - closed: everything is freed at once and nothing is sent.
 */
export class Connection implements EngineSession {
  private readonly wire: Wire
  private readonly engine: StandinEngine
  private readonly faults: SessionFaults
  private readonly parse: (frame: string) => ClientEvent
  private readonly queue = new AudioQueue()
  private readonly restAlarm: Alarm
  private readonly idleAlarm: Alarm
  private current: Generation | null = null
  private isValidated = false

  /** @param parse parses a client's frame */
  constructor(
    wire: Wire,
    engine: StandinEngine,
    faults: SessionFaults,
    parse: (frame: string) => ClientEvent = parseClientEvent,
  ) {
    this.wire = wire
    this.engine = engine
    this.faults = faults
    this.parse = parse
    const { clock, random } = engine.settings
    this.restAlarm = new Alarm(clock, () => this.wake())
    this.idleAlarm = new Alarm(clock, () => this.endIdle())
    engine.sessions.add(this)
    engine.counters.connections += 1
    const greeting = createdFrame(`sess-${random.hexId(8)}`, Math.floor(clock.wallMs() / 1000))
    // Deferred: the owner of the wire attaches this connection only after the constructor, and
    // would miss a close before that.
    if (faults.closesAt('greeting')) engine.settings.defer(() => this.closeAt('greeting'))
    else if (!faults.of('no_greeting')) wire.send(greeting)
    this.restartIdleAlarm()
  }

  get deltas(): number {
    return this.current?.deltas ?? 0
  }

  /** Takes one text frame of the client. */
  receive(frame: string): void {
    this.restartIdleAlarm()
    try {
      this.handle(this.parse(frame))
    } catch (error) {
      // For example a recognizer that can't be started: as in vLLM the client gets an error and may
      // go on.
      this.handle(processingError(reasonOf(error)))
    }
  }

  /** Called when the wire has room again. */
  drained(): void {
    this.wake()
  }

  /** Called when the wire is closed. */
  end(): void {
    if (this.current) this.engine.counters.aborted += 1
    this.endGeneration()
    this.queue.clear()
    this.engine.sessions.delete(this)
    this.restAlarm.cancel()
    this.idleAlarm.cancel()
  }

  prepare(): boolean {
    const generation = this.current
    const mustWait = !this.wire.isOpen || this.wire.isFull || this.restAlarm.isSet
    if (!generation || mustWait || this.isBefallen(generation)) return false
    try {
      return this.isReady(generation)
    } catch (error) {
      this.fail(reasonOf(error))
      return false
    }
  }

  advance(): void {
    const generation = this.current
    if (!generation) return
    try {
      const { counters } = this.engine
      if (generation.deltas === 0) counters.promptTokens += promptTokens()
      counters.generationTokens += 1
      const blank = this.faults.isBlank(generation.deltas)
      this.wire.send(deltaFrame(generation.take({ blank })))
      const extra = this.faults.extraAfter(generation.deltas)
      for (let sent = 0; sent < extra; sent += 1) this.wire.send(deltaFrame(''))
      this.rest()
    } catch (error) {
      this.fail(reasonOf(error))
    }
  }

  aborted(deltas: number): void {
    if (!this.current) return
    for (let sent = 0; sent < deltas; sent += 1) this.wire.send(deltaFrame(''))
  }

  engineDied(): void {
    if (this.current) this.fail(ENGINE_DEAD)
  }

  close(code: number): void {
    this.wire.close(code)
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
    if (this.closeAt('update')) return
    const isServed = model === this.engine.settings.modelId && !this.faults.of('refuse_model')
    if (model === null) {
      this.refuse('Missing required field: model', 'invalid_event')
    } else if (isTruthy(model) && !isServed) {
      this.handle(modelNotFound(model))
    } else {
      this.isValidated = true
      if (this.faults.of('ack_update')) this.wire.send(updatedFrame(model))
    }
  }

  private append(samples: Int16Array): void {
    const fault = this.faults.onAppend(samples.length * SAMPLE_BYTES)
    if (fault === 'invalid_audio') this.refuse('Invalid audio data', fault)
    else if (fault || !this.queue.push(samples)) this.refuse('Audio buffer is full', 'buffer_full')
    else this.takeQueued()
  }

  private commit(final: boolean): void {
    if (final && this.closeAt('final')) return
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
    this.takeQueued()
  }

  private takeQueued(): void {
    if (!this.current) return
    this.queue.drainInto(this.current)
    this.wake()
  }

  /** True when its next step can be taken. Ends a generation that has no more steps. */
  private isReady(generation: Generation): boolean {
    const { state, deltas } = generation
    if (state === 'waiting') return false
    if (state === 'delta' && !this.faults.isDue('early_done', deltas)) return true
    if (this.engine.settings.diesAtMaxModelLen && generation.isCapped) {
      this.engine.die(DEATH_AT_MAX_MODEL_LEN)
    } else if (!this.faults.of('no_done') && !this.closeAt('done')) {
      this.finish(generation)
    }
    return false
  }

  /** Sends `done`. Audio appended since END is lost, as in vLLM. */
  private finish(generation: Generation): void {
    const completionTokens = generation.deltas
    const usage = { promptTokens: completionTokens > 0 ? promptTokens() : 0, completionTokens }
    this.wire.send(doneFrame(generation.text, usage))
    this.engine.counters.finished += 1
    if (generation.isCapped) this.engine.counters.capped += 1
    this.endGeneration()
    this.queue.clear()
  }

  /** Applies a fault that interrupts a generation, if one is due. */
  private isBefallen({ deltas }: Generation): boolean {
    const { faults } = this
    const told = faults.takeError(deltas)
    if (told) this.refuse('The stand-in was told to say so', told)
    const death = faults.of('engine_death')
    if (death && deltas >= death.afterDeltas) this.engine.die(death)
    else if (faults.isDue('drop', deltas)) this.wire.close(1006)
    else if (faults.isDue('processing_error', deltas)) this.fail('The stand-in was told to fail')
    else return this.closeAt('delta') || faults.isDue('stall', deltas)
    return true
  }

  /** Closes the connection if a fault says so for this moment. @returns whether it did */
  private closeAt(moment: CloseMoment): boolean {
    const code = this.faults.closesAt(moment, this.deltas)
    if (code !== null) this.wire.close(code)
    return code !== null
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
  }

  private rest(): void {
    const slow = this.faults.of('slow_deltas')
    if (slow) this.restAlarm.set(slow.everyMs)
  }

  private restartIdleAlarm(): void {
    const idle = this.faults.of('idle_timeout')
    if (idle) this.idleAlarm.set(idle.afterMs)
  }

  private endIdle(): void {
    this.refuse('Session idle timeout', 'idle_timeout')
    this.wire.close(1000)
  }

  private wake(): void {
    if (this.current) this.engine.loop.wake(this)
  }

  private refuse(error: string, code: WireErrorCode): void {
    this.wire.send(errorFrame(error, code))
  }
}

/** Truth as in Python: empty lists and dicts are false, too. */
function isTruthy(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return Boolean(value)
  return Object.keys(value).length > 0
}
